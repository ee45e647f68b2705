"""Grades: ASC CDL, small 3D LUTs, and finding the grade that makes two shots agree."""
