"""Heights on a sheet agree with the model they come from; contours agree with the heights."""

import zipfile

import msgspec
import numpy as np
import pytest
import shapely

from milepost.servers.production.sheet.contours import contour_lines, depression_ticks, unknown_ground
from milepost.servers.production.sheet.definition import Steep
from milepost.servers.production.sheet.geometry import SheetGeometry
from milepost.servers.production.sheet.order import Source
from milepost.servers.production.sheet.reading import built_in
from milepost.servers.production.sheet.relief import evened, interval_on
from milepost.servers.production.sheet.shading import shade
from milepost.servers.production.sheet.spots import spot_heights
from milepost.servers.production.sheet.terrain import Heights, read_heights
from tests.servers.production.sheet import ground

SCALE = 50_000
CONTOURS = built_in()["MTM50"].relief.contours


def geometry(**more):
    return SheetGeometry.of(ground.square(**more), SCALE)


def read(folder, *paths, of=None):
    return read_heights([Source(path=str(path)) for path in paths], of or geometry(), folder / "work")


@pytest.fixture(scope="module")
def terrain(country, tmp_path_factory):
    return read(tmp_path_factory.mktemp("terrain"), country / "country.tif")


def truth(sheet, x, y, **more):
    return ground.heights(*sheet.lonlat_of_sheet(x, y), **more)


def test_heights_are_those_of_the_model(terrain):
    sheet = geometry()
    x, y = np.meshgrid(terrain.x[::7], terrain.y[::7])
    # Between cells of 30 m, on slopes of up to 60 %, a cubic is off by centimetres.
    assert np.abs(terrain.values[::7, ::7] - truth(sheet, x, y)).max() < 0.5
    places = np.random.default_rng(1).uniform(-1000, 1000, (2, 200))
    assert np.abs(terrain.at(*places) - truth(sheet, *places)).max() < 1


def test_the_summit_is_in_its_place(terrain):
    sheet = geometry()
    row, column = np.unravel_index(np.nanargmax(terrain.values), terrain.values.shape)
    east, north = ground.WEST + ground.HILL[0], ground.SOUTH + ground.HILL[1]
    x, y = sheet.sheet_of_lonlat(east, north)
    # The hill stands on a slope, which moves its top by some metres.
    assert np.hypot(terrain.x[column] - x, terrain.y[row] - y) < 60
    assert terrain.values[row, column] == pytest.approx(
        truth(sheet, terrain.x[column], terrain.y[row]), abs=0.5
    )


def test_the_heights_within_an_area_are_all_of_its_nodes(terrain):
    area = shapely.box(-400, -300, 500, 700)
    x, y = np.meshgrid(terrain.x, terrain.y)
    there = terrain.values[shapely.contains_xy(area, x, y)]
    assert np.array_equal(terrain.within(area), there)
    # A peak of one node counts, and one outside does not.
    values = np.zeros((9, 9), dtype=np.float32)
    values[3, 5], values[0, 0] = 700, 900
    assert Heights(values, -40, 40, 10, 10).within(shapely.box(-35, -35, 35, 35)).max() == 700


def test_steep_sheets_take_the_wider_interval():
    contours = msgspec.structs.replace(CONTOURS, interval=10, steep=Steep(interval=20, spacing=0.5), smooth=0)
    for slope, wanted in ((0.1, 10), (0.6, 20)):
        # On 1:50 000 contours every 10 m are 2 mm apart, and a third of a millimetre.
        plane = np.tile(np.arange(200, dtype=np.float32) * 20 * slope, (200, 1))
        assert interval_on(Heights(plane, -2000, 2000, 20, 20), contours, SCALE) == wanted
    unknown = Heights(np.full((50, 50), np.nan, np.float32), -500, 500, 20, 20)
    assert interval_on(unknown, contours, SCALE) == 10


def test_tiles_join_without_a_seam(tmp_path, terrain):
    half = ground.SIZE / 2
    parts = [
        ground.write_heights(
            tmp_path / f"{i}{j}.tif",
            ground.WEST + i * half,
            ground.SOUTH + j * half,
            half,
            margin=0.01,
            origin=(ground.WEST, ground.SOUTH),
        )
        for i in (0, 1)
        for j in (0, 1)
    ]
    joined = read(tmp_path, *parts)
    assert joined.values.shape == terrain.values.shape
    assert np.nanmax(np.abs(joined.values - terrain.values)) < 0.01


def test_the_first_source_that_knows_is_taken(country, tmp_path, terrain):
    ground.write_heights(tmp_path / "fine.tif", size=0.02, margin=0.0)
    both = read(tmp_path, tmp_path / "fine.tif", country / "country.tif")
    assert not np.isnan(both.values).any()


def test_an_archive_is_unpacked(country, tmp_path, terrain):
    with zipfile.ZipFile(tmp_path / "heights.zip", "w") as archive:
        archive.write(country / "country.tif", "deep/below/country.tif")
    assert np.array_equal(read(tmp_path, tmp_path / "heights.zip").values, terrain.values)


def test_small_voids_are_filled_and_counted(tmp_path):
    path = ground.write_heights(tmp_path / "voids.tif", void=(0.02, 0.02, 0.023, 0.023))
    found = read(tmp_path, path)
    assert not np.isnan(found.values).any()
    assert 0.001 < found.filled < 0.02
    assert unknown_ground(found).is_empty


def test_large_ones_stay_unknown(tmp_path):
    path = ground.write_heights(tmp_path / "voids.tif", size=0.1, void=(0.02, 0.02, 0.08, 0.08))
    found = read(tmp_path, path, of=geometry(size=0.1))
    unknown = unknown_ground(found)
    assert unknown.is_valid
    assert unknown.area == pytest.approx(np.isnan(found.values).sum() * found.step**2, rel=0.02)
    assert unknown.contains(shapely.Point(*geometry(size=0.1).sheet_of_lonlat(10.05, 46.05)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK nothing", r"heights\.zip is no ZIP archive"),
        (None, r"heights\.zip holds no \.hgt and no \.tif file"),
    ],
)
def test_archives_that_hold_nothing_are_refused(tmp_path, content, said):
    path = tmp_path / "heights.zip"
    if content:
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "nothing")
    with pytest.raises(ValueError, match=said):
        read(tmp_path, path)


def test_contours_agree_with_the_ground(terrain):
    """Every vertex of a contour is where the model has that height, to a fraction of the interval."""
    lines = contour_lines(evened(terrain, CONTOURS, SCALE), CONTOURS, SCALE)
    assert set(lines["height"] % 20) == {0}
    assert set(lines["height"][lines["index"] == 1] % 100) == {0}
    sheet, off = geometry(), []
    for line, height in zip(lines.geometry, lines["height"], strict=True):
        x, y = shapely.get_coordinates(line).T
        off.append(np.abs(truth(sheet, x, y) - height))
    assert np.quantile(np.concatenate(off), 0.99) < CONTOURS.interval / 4


def test_contours_beyond_measure_are_refused(terrain):
    with pytest.raises(
        ValueError, match=r"contours every 0\.1 m between .* are too many; let their interval be"
    ):
        contour_lines(terrain, msgspec.structs.replace(CONTOURS, interval=0.1), SCALE)


def test_only_what_lies_lower_inside_is_a_depression(terrain):
    sheet = geometry()
    lines = contour_lines(terrain, CONTOURS, SCALE)
    hollow, hill = (
        shapely.Point(*sheet.sheet_of_lonlat(ground.WEST + at[0], ground.SOUTH + at[1]))
        for at in (ground.HOLLOW, ground.HILL)
    )
    closed = lines[lines.geometry.is_ring]
    around = {
        name: {
            int(row.depression)
            for row in closed.itertuples()
            if shapely.Polygon(row.geometry).contains(point)
        }
        for name, point in (("hollow", hollow), ("hill", hill))
    }
    assert around == {"hollow": {1}, "hill": {0}}
    ticks = depression_ticks(lines, CONTOURS.tick, SCALE)
    assert len(ticks) > 10
    # Ticks point down.
    for tick in ticks.geometry:
        (ax, ay), (bx, by) = tick.coords
        assert terrain.at(bx, by) < terrain.at(ax, ay)


def test_spot_heights_are_summits_that_nobody_names(terrain):
    spots = built_in()["MTM25"].relief.spot_heights
    neatline = geometry().neatline
    found = spot_heights(terrain, spots, neatline, [], SCALE)
    summit = shapely.Point(
        *geometry().sheet_of_lonlat(ground.WEST + ground.HILL[0], ground.SOUTH + ground.HILL[1])
    )
    assert found.distance(summit).min() < 60
    assert int(found["height"].iloc[0]) == pytest.approx(1048, abs=3)
    assert spot_heights(terrain, spots, neatline, [summit], SCALE).empty


def test_slopes_away_from_the_light_are_darker(tmp_path):
    x = np.arange(200, dtype=np.float32) * 10
    roof = np.tile(500 - np.abs(x - 1000) * 0.5, (100, 1)).astype(np.float32)
    heights = Heights(roof, 0.0, 1000.0, 10.0, 10.0)
    box = shade(heights, built_in()["MTM50"].relief.shading, (100, 100, 1900, 900), tmp_path / "a.jpg", 95)
    assert np.allclose(box, (100, 100, 1900, 900), atol=15)
    from PIL import Image

    with Image.open(tmp_path / "a.jpg") as picture:
        pixels = np.asarray(picture).mean(axis=(0, 2))
    assert pixels[:80].mean() > pixels[100:].mean() + 30


def test_a_kept_terrain_is_the_same(terrain, tmp_path):
    terrain.save(tmp_path / "kept.npz")
    again = Heights.load(tmp_path / "kept.npz")
    assert np.array_equal(again.values, terrain.values)
    assert (again.left, again.top, again.step, again.cell) == (
        terrain.left,
        terrain.top,
        terrain.step,
        terrain.cell,
    )


def test_andorra_has_its_highest_summit(andorra, tmp_path):
    """Coma Pedrosa, 2942 m, at 42.5917 N 1.4442 E; the model of 90 m cells is a few metres lower."""
    sheet = SheetGeometry.of(shapely.box(1.42, 42.57, 1.47, 42.61), SCALE)
    found = read(tmp_path, andorra / "N42E001.hgt.zip", of=sheet)
    x, y = sheet.sheet_of_lonlat(1.4442, 42.5917)
    near = np.hypot(found.x[None, :] - x, found.y[:, None] - y) < 150
    assert found.values[near].max() == pytest.approx(2942, abs=40)
