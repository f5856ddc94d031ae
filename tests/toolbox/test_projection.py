"""Reprojection against PROJ called by hand, and what it says about itself."""

import geopandas as gpd
import pytest
import shapely
from pyproj import Transformer

from milepost import Run
from milepost.servers.geoprocessing.toolbox import reproject
from milepost.types import FeatureSet


def test_features_are_where_proj_puts_them(world, said):
    run = Run()
    germany = world[world["name"] == "Germany"]
    found = reproject(run, FeatureSet.from_geodataframe(germany), "EPSG:25832").to_geodataframe()
    assert found.crs.to_epsg() == 25832
    assert found.geometry[0].equals_exact(germany.to_crs(25832).geometry.iloc[0], 1e-6, normalize=True)
    assert found["pop_est"].tolist() == germany["pop_est"].tolist()
    assert "1 feature projected to ETRS89 / UTM zone 32N by Inverse of ETRS89 to WGS 84 (1)" in said(run)
    assert "accurate to 1 m" in said(run)


@pytest.mark.parametrize("out_sr", ["102100", "3857", '{"wkid": 102100, "latestWkid": 3857}'])
def test_esri_numbers_are_understood(layer, out_sr):
    found = reproject(Run(), layer([shapely.Point(9, 50)]), out_sr)
    assert found.spatial_reference == {"wkid": 102100, "latestWkid": 3857}
    x, y = Transformer.from_crs(4326, 3857, always_xy=True).transform(9, 50)
    assert found.features[0]["geometry"] == {"x": pytest.approx(x), "y": pytest.approx(y)}


def test_there_and_back_again(world):
    countries = FeatureSet.from_geodataframe(world[~world["name"].isin(["Antarctica", "Sudan"])])
    back = reproject(Run(), reproject(Run(), countries, "102100"), "4326").to_geodataframe()
    there = countries.to_geodataframe()
    assert back.geometry.normalize().geom_equals_exact(there.geometry.normalize(), 2e-9).all()


def test_edges_that_cross_in_the_new_system_are_repaired_and_said(world, said):
    """A needle of Sudan is so thin that its edges cross in Web Mercator."""
    run = Run()
    found = reproject(
        run, FeatureSet.from_geodataframe(world[world["name"] == "Sudan"]), "102100"
    ).to_geodataframe()
    assert found.is_valid.all()
    assert "1 feature repaired: straight edges that cross in the new system" in said(run, "warning")


def test_a_grid_that_would_be_better_is_named(layer, said):
    run = Run()
    reproject(run, layer([shapely.Point(-1, 52)]), "27700")
    assert "uk_os_OSTN15_NTv2_OSGBtoETRS.tif, which is not installed" in said(run, "warning")


def test_polygons_are_cut_where_the_new_map_ends(layer):
    """The map of the Pacific begins at 30 degrees west."""
    around = shapely.box(-40, 0, -20, 10)
    (found,) = reproject(Run(), layer([around]), "3832").to_geodataframe().geometry
    assert found.is_valid
    assert found.geom_type == "MultiPolygon"
    world_wide = 40_075_016.7
    assert found.area == pytest.approx(around.area * (world_wide / 360) ** 2, rel=0.01)


def test_antarctica_is_whole_on_its_own_map(world):
    antarctica = FeatureSet.from_geodataframe(world[world["name"] == "Antarctica"])
    (found,) = reproject(Run(), antarctica, "3031").to_geodataframe().geometry
    assert found.is_valid
    assert shapely.contains_xy(found, 0, 0)
    assert not max(shapely.get_parts(found), key=shapely.area).interiors
    back = reproject(
        Run(), FeatureSet.from_geodataframe(gpd.GeoDataFrame(geometry=[found], crs=3031)), "4326"
    )
    (again,) = back.to_geodataframe().geometry
    assert again.area == pytest.approx(
        shapely.area(world[world["name"] == "Antarctica"].geometry.iloc[0]), rel=1e-3
    )


def test_what_lies_outside_is_said_and_null(layer, said):
    run = Run()
    found = reproject(run, layer([shapely.Point(9, 50), shapely.Point(100, 0), None]), "25832")
    assert [feature["geometry"] is None for feature in found.features] == [False, True, True]
    assert "1 feature without a geometry now: outside of where ETRS89 / UTM zone 32N is defined" in said(
        run, "warning"
    )
    with pytest.raises(
        ValueError, match="All features lie outside of where ETRS89 / UTM zone 32N is defined"
    ):
        reproject(Run(), layer([shapely.Point(100, 0)]), "25832")


def test_an_area_that_the_system_is_not_made_for_is_warned_of(layer, said):
    run = Run()
    reproject(run, layer([shapely.Point(-3, 50)]), "25832")
    assert "at least partly outside of the area that ETRS89 / UTM zone 32N is made for: Europe" in said(
        run, "warning"
    )
    run = Run()
    reproject(run, layer([shapely.Point(179, -18), shapely.Point(-179, -17)]), "3460")
    assert "made for" not in said(run, "warning")


def test_heights_stay_and_measures_are_missed(layer, said):
    run = Run()
    found = reproject(run, layer([shapely.from_wkt("POINT ZM (9 50 120 7)")]), "25832")
    assert found.features[0]["geometry"]["z"] == 120
    assert not found.has_m
    assert "Measures (m) are not carried over" in said(run, "warning")


@pytest.mark.parametrize(
    ("out_sr", "cause"),
    [
        ("99999", "'out_sr': spatial reference 99999 is not known"),
        ("Europe", "'out_sr': .* not understood"),
        ("+init=/etc/passwd:1", "'out_sr': .* not understood"),
        ('LOCAL_CS["drawing",UNIT["metre",1]]', "no known place on Earth"),
    ],
)
def test_references_that_will_not_do_are_refused(layer, out_sr, cause):
    with pytest.raises(ValueError, match=cause):
        reproject(Run(), layer([shapely.Point(9, 50)]), out_sr)
