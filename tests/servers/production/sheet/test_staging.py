"""The stages of a sheet: how the share of the work grows, and what an end for want of memory leads to."""

import pytest

from milepost.jobs import events
from milepost.operations import Run
from milepost.operations import run as runs
from milepost.servers.production.sheet import costs, memory, staging
from milepost.servers.production.sheet.make import stage_costs
from milepost.servers.production.sheet.memory import kills
from milepost.servers.production.sheet.order import Output
from milepost.servers.production.sheet.staging import Stages
from milepost.servers.production.sheet.workshop import Workshop
from tests.servers.production.sheet import ground


def nothing() -> None:
    """A stage that does nothing."""


@pytest.fixture
def every_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is kept however fast it comes."""
    monkeypatch.setattr(runs, "PROGRESS_EVERY", 0.0)


def fractions(run):
    return [each.fraction for each in run.notebook.events if isinstance(each, events.Progressed)]


@pytest.mark.usefixtures("every_report")
def test_the_share_grows_with_what_stages_cost(tmp_path):
    run = Run()
    stages = Stages(run, tmp_path, {"a": 1.0, "b": 2.0, "c": 1.0})
    stages.do("a", nothing)

    def halves() -> None:
        stages.within(0.5)
        stages.within(7)

    stages.do("b", halves)
    # What was told stays; the rest is shared out anew.
    stages.expect({"a": 100.0, "c": 3.0})
    stages.do("c", lambda: stages.within(0.5))
    assert fractions(run) == pytest.approx([0, 0.25, 0.5, 0.75, 0.75, 0.875])


@pytest.mark.usefixtures("every_report")
def test_what_turns_out_to_cost_more_gets_more_of_what_is_left(tmp_path):
    run = Run()
    stages = Stages(run, tmp_path, {"read": 1.0, "little": 1.0, "much": 2.0})
    stages.do("read", nothing)
    stages.expect({"much": 8.0})
    stages.do("little", nothing)
    stages.do("much", nothing)
    assert fractions(run) == pytest.approx([0, 0.25, 0.25 + 0.75 / 9])


@pytest.mark.parametrize("output", [Output(), Output(type="tiff"), Output(type="zip", files=("raster",))])
def test_no_stage_of_a_sheet_is_forgotten(country, tmp_path, output):
    order = ground.order(country, output=output)
    shop = Workshop(order, tmp_path)
    found = stage_costs(order, shop)
    assert all(cost > 0 for cost in found.values())
    assert found[costs.EXPORT] > 1 or not output.has_raster
    # What is known once the features are read is about stages that there are.
    later = costs.of_features(order, shop.geometry, {layer.name: 1000 for layer in order.product.layers})
    assert set(later) <= set(found)


def test_the_kernel_tells_how_often_memory_ran_out(tmp_path):
    counters = tmp_path / "vmstat"
    counters.write_text("nr_free_pages 12\noom_kill 7\n")
    assert kills(counters) == 7
    assert kills(tmp_path / "nowhere") == 0
    assert kills() >= 0


def test_a_stage_that_ended_for_want_of_memory_is_not_tried_again(tmp_path, monkeypatch):
    counters = tmp_path / "vmstat"

    def counted(number):
        counters.write_text(f"oom_kill {number}\n")

    monkeypatch.setattr(staging, "kills", lambda: memory.kills(counters))

    def attempt(steps=None):
        run = Run(steps=steps)
        stages = Stages(run, tmp_path, {"read": 1.0, "draw": 1.0})
        stages.do("read", nothing)
        stages.do("draw", nothing)

    counted(3)
    attempt()  # the instance is killed before the last stage is kept
    attempt({"read": None})  # by somebody: it is tried again
    counted(4)  # by the system
    with pytest.raises(ValueError, match=r"draw: the sheet needs more memory .* choose a smaller area"):
        attempt({"read": None})
    attempt()  # of a stage before it nothing is said
