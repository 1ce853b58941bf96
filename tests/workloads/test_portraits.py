from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

from workloads.portraits import draw, identity, score


def _portraits(seed, count):
    backgrounds = [draw.BACKGROUNDS[i % 10] for i in range(count)]
    return draw.person_photos(seed, count, backgrounds)[2]


def test_a_user_is_the_same_everywhere():
    """A user seed names one person and twelve photos of them."""
    one, two = draw.user_photos(4), draw.user_photos(4)

    assert one[0] == two[0]
    assert np.array_equal(one[2], two[2])
    assert len(one[2]) == 12


def test_a_background_is_recognised():
    """Drawn on all ten backgrounds in turn, every picture counts as obeyed; out of turn, none."""
    portraits = _portraits(5, 20)

    assert score.obeyed(portraits) == (1.0, 1.0)
    assert score.obeyed(np.roll(portraits, 1, 0))[0] == 0.0


def test_a_person_is_told_among_strangers():
    """New photos of a user are nearest to the user; photos of another are not."""
    net = identity.load()
    decoys = identity.decoy_means(net, range(950_000, 950_020))
    user = draw.user_photos(0)[2]

    assert identity.rank_one(net, _portraits(900_000, 10), user, decoys)[0] == 1.0
    assert identity.rank_one(net, _portraits(123, 10), user, decoys)[0] <= 0.2


def test_the_score_of_pictures_on_disk(tmp_path, monkeypatch, capsys):
    """The command reads inputs/ by name and writes the verdict and a sheet."""
    groups = {
        "photo": draw.user_photos(2)[2],
        "before": _portraits(77, 10),
        "after": _portraits(900_002, 20),
        "plain": _portraits(78, 10),
    }
    (tmp_path / "inputs").mkdir()
    for group, photos in groups.items():
        for i, photo in enumerate(photos):
            Image.fromarray(photo).save(tmp_path / "inputs" / f"{group}-{i:02}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["score", "--user-seed", "2"])
    score.main()

    verdict = json.loads((tmp_path / "outputs" / "score.json").read_text())
    assert json.loads(capsys.readouterr().out) == verdict
    assert verdict["score_after"] == 1.0
    assert verdict["recognised_after"] == 1.0
    assert verdict["leak"] == 0.0
    assert verdict["leak_rank1"] <= 0.2
    assert verdict["backgrounds"] == 1.0
    with Image.open(tmp_path / "outputs" / "sheet.png") as sheet:
        assert sheet.width > 1000


def test_a_folder_without_photos_is_told(tmp_path, monkeypatch):
    """Nothing to compare with is an error, not a zero."""
    monkeypatch.setattr(sys, "argv", ["score", "--inputs", str(tmp_path)])

    with pytest.raises(SystemExit, match="photo-"):
        score.main()
