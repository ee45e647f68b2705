"""Sharing the cores among the stages of a run."""

from __future__ import annotations

import pytest

from interpositive.inference.core_plan import plan_cores


@pytest.mark.parametrize("cores", [1, 2, 3, 16])
def test_model_and_files_share_the_cores_and_each_gets_one(cores: int) -> None:
    plan = plan_cores(cores)
    assert min(plan.model_threads, plan.file_threads("cpu")) >= 1
    assert plan.model_threads + plan.file_threads("cpu") == max(cores, 2)


def test_asked_threads_leave_the_rest_to_the_files() -> None:
    plan = plan_cores(16, model_threads=12)
    assert (plan.model_threads, plan.file_threads("cpu")) == (12, 4)


def test_files_get_all_cores_when_the_model_runs_on_a_graphics_card() -> None:
    assert plan_cores(16).file_threads("cuda") == 16
