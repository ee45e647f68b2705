from __future__ import annotations

import numpy as np
import pytest
import torch

from interpositive.training.crops import ERROR_STEP_PX, CropSampler, Picture


def picture_of(place: int, height: int = 64, width: int = 96, origin: tuple[int, int] = (0, 0)) -> Picture:
    """Planes whose values say where they come from: x, y and the picture."""
    x = torch.arange(width).expand(height, width)
    y = torch.arange(height)[:, None].expand(height, width)
    plate = torch.stack([x, y, torch.full((height, width), place)]).float()
    ones = torch.ones(1, height, width)
    error = torch.zeros(height // ERROR_STEP_PX, width // ERROR_STEP_PX)
    return Picture(plate, plate + 1000, ones, ones * 0.5, error, origin, place)


def draw_many(sampler: CropSampler, steps: int = 100) -> torch.Tensor:
    """(N, 3): x, y of the top-left pixel and the picture of every crop."""
    return torch.cat([sampler.draw(step, 4).plate[:, :, 0, 0] for step in range(steps)])


def test_a_batch_is_cut_at_one_place_from_all_planes() -> None:
    pictures = [picture_of(0, origin=(-8, 4)), picture_of(1), picture_of(2)]
    batch = CropSampler(pictures, [1, 1, 1], 32, seed=1).draw(3, 6)
    assert batch.plate.shape == (6, 3, 32, 32) and batch.weight.shape == (6, 1, 32, 32)
    assert torch.equal(batch.target, batch.plate + 1000)
    assert torch.equal(batch.keyframe, batch.plate[:, 2, 0, 0].long())
    offset = torch.tensor([[-8.0, 4.0] if k == 0 else [0.0, 0.0] for k in batch.keyframe.tolist()])
    assert torch.equal(batch.origin, batch.plate[:, :2, 0, 0] + offset)


def test_the_same_seed_and_step_give_the_same_crops_and_others_give_others() -> None:
    pictures = [picture_of(0), picture_of(1)]
    one, same, other = (CropSampler(pictures, [1, 1], 32, seed) for seed in (1, 1, 2))
    same.draw(0, 4)  # what was drawn before does not matter
    assert torch.equal(one.draw(7, 4).plate, same.draw(7, 4).plate)
    assert not torch.equal(one.draw(7, 4).plate, one.draw(8, 4).plate)
    assert not torch.equal(one.draw(7, 4).plate, other.draw(7, 4).plate)


def test_processes_share_one_batch_between_them() -> None:
    sampler = CropSampler([picture_of(0), picture_of(1)], [1, 1], 32, seed=1)
    whole = sampler.draw(5, 4)
    parts = [sampler.draw(5, 4, rank, 2) for rank in (0, 1)]
    assert torch.equal(torch.stack([p.plate for p in parts], 1).flatten(0, 1), whole.plate)


def test_crops_are_drawn_where_the_start_is_wrong_and_never_only_there() -> None:
    wrong = picture_of(0)
    wrong.start_error[:, 36:] = 1.0  # the right quarter
    crops = draw_many(CropSampler([wrong], [1], 16, seed=1))
    near = (crops[:, 0] + 16 > 72).float().mean()
    assert 0.6 < near < 0.95
    assert crops[:, 0].min() < 16


def test_pictures_are_drawn_by_their_share() -> None:
    crops = draw_many(CropSampler([picture_of(0), picture_of(1)], [3, 1], 32, seed=1), 200)
    assert (crops[:, 2] == 0).float().mean() == pytest.approx(0.75, abs=0.06)


def test_every_pixel_can_be_drawn() -> None:
    seen = np.zeros((64, 96), bool)
    for x, y, _ in draw_many(CropSampler([picture_of(0)], [1], 32, seed=1), 150).int().tolist():
        seen[y : y + 32, x : x + 32] = True
    assert seen.all()


def test_pictures_smaller_than_a_crop_are_taken_whole_and_set_the_size_for_all() -> None:
    sampler = CropSampler([picture_of(0, 32, 64), picture_of(1, 64, 96)], [1, 1], 192, seed=1)
    assert sampler.draw(0, 4).plate.shape[2:] == (32, 64)
