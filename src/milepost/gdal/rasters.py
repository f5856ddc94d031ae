"""GDAL's self-describing algorithms and its rasters, through its C interface.

Inputs of algorithms are rasters that were opened here, never names: a name can stand for other
files, databases and addresses.
"""

import ctypes
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ctypes import c_char_p, c_double, c_int, c_void_p
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from milepost.gdal.libgdal import ON_ERROR, PROGRESS, gdal

INPUT_FORMATS: Final = ("GTiff", "AAIGrid", "DTED", "SRTMHGT")
"""The drivers that may open a raster: formats that hold their pixels and name no other files."""

CREATION_OPTIONS: Final = ("COMPRESS=DEFLATE", "TILED=YES")
"""How GeoTIFF files are written."""

Transform = tuple[float, float, float, float, float, float]
"""Left edge, width of a pixel, 0, upper edge, 0, minus the height of a pixel (for a raster with north up)."""

_CE_FAILURE: Final = 3
_OF_RASTER_VERBOSE: Final = 0x02 | 0x40
_PIXELS: Final[dict[str, int]] = {"uint8": 1, "uint16": 2, "float32": 6}
"""GDAL's numbers of the pixel types that are read and written here."""

# How an argument is set, by GDAL's number of its type.
_BOOLEAN, _STRING, _INTEGER, _REAL, _DATASET, _STRING_LIST, _REAL_LIST, _DATASET_LIST = 0, 1, 2, 3, 4, 5, 7, 8


class GdalError(RuntimeError):
    """GDAL could not do what was asked; the text is GDAL's own."""


class OpenRaster:
    """An open raster of one band or more. Only the first band is read."""

    def __init__(self, handle: int, path: Path | str):
        """Made by ``open_raster`` and ``create_raster``."""
        self.handle: Final = handle
        self.path: Final = Path(path)
        self.width: Final[int] = gdal.GDALGetRasterXSize(handle)
        self.height: Final[int] = gdal.GDALGetRasterYSize(handle)
        self._band: Final = gdal.GDALGetRasterBand(handle, 1)

    @property
    def crs(self) -> CRS | None:
        """The coordinate reference system; None when the file names none that is understood."""
        text = (gdal.GDALGetProjectionRef(self.handle) or b"").decode()
        try:
            return CRS.from_wkt(text) if text else None
        except CRSError:
            return None

    @property
    def transform(self) -> Transform | None:
        """From pixels to coordinates; None when the file does not say where it lies."""
        numbers = (c_double * 6)()
        if gdal.GDALGetGeoTransform(self.handle, numbers) != 0:
            return None
        return (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5])

    @property
    def nodata(self) -> float | None:
        """The value of pixels that hold none."""
        return self._optional("GDALGetRasterNoDataValue")

    @property
    def scale_and_offset(self) -> tuple[float, float]:
        """What pixels are multiplied with, and what is added then, to get values."""
        scale, offset = self._optional("GDALGetRasterScale"), self._optional("GDALGetRasterOffset")
        return 1.0 if scale is None else scale, offset or 0.0

    def read(
        self,
        first: int = 0,
        rows: int | None = None,
        dtype: str = "float32",
        *,
        left: int = 0,
        columns: int | None = None,
    ) -> NDArray[Any]:
        """The pixels of some rows and columns, the uppermost first, as an array of shape (rows, columns)."""
        shape = (
            self.height - first if rows is None else rows,
            self.width - left if columns is None else columns,
        )
        pixels = np.empty(shape, dtype=dtype)
        self._transfer(0, first, pixels, left)
        return pixels

    def write(self, pixels: NDArray[Any], first: int = 0, band: int = 1) -> None:
        """Write rows of pixels of a band, beginning with row ``first``."""
        self._transfer(1, first, np.ascontiguousarray(pixels), band=band)

    def _optional(self, function: str) -> float | None:
        there = c_int()
        value: float = getattr(gdal, function)(self._band, ctypes.byref(there))
        return value if there.value else None

    def _transfer(
        self, direction: int, first: int, pixels: NDArray[Any], left: int = 0, band: int = 1
    ) -> None:
        rows, columns = pixels.shape
        kind = _PIXELS[pixels.dtype.name]
        with _errors() as messages:
            failed = gdal.GDALRasterIO(
                gdal.GDALGetRasterBand(self.handle, band),
                direction,
                left,
                first,
                columns,
                rows,
                pixels.ctypes.data,
                columns,
                rows,
                kind,
                0,
                0,
            )
        if failed:
            raise _error(messages, f"{self.path.name} cannot be read or written", self.path)


@contextmanager
def open_raster(path: Path | str) -> Iterator[OpenRaster]:
    """An existing raster file, of one of the ``INPUT_FORMATS``, to read.

    Raises:
        ValueError: there is no such file, or it is no raster of these formats.
    """
    if not Path(path).is_file():
        raise ValueError(f"there is no raster file {Path(path).name}")
    with _errors() as messages:
        handle = gdal.GDALOpenEx(_name(path), _OF_RASTER_VERBOSE, _strings(INPUT_FORMATS), None, None)
    if not handle:
        raise ValueError(
            f"{Path(path).name} is no raster of the formats {', '.join(INPUT_FORMATS)}: "
            f"{_error(messages, 'it is of another format', path)}"
        )
    try:
        yield OpenRaster(handle, path)
    finally:
        gdal.GDALClose(handle)


@contextmanager
def create_raster(
    path: Path | str,
    *,
    width: int,
    height: int,
    dtype: str,
    transform: Transform,
    crs: CRS,
    nodata: float | None = None,
    bands: int = 1,
) -> Iterator[OpenRaster]:
    """A new GeoTIFF, to be written; replaces a file that is there. Four bands of bytes are colours and opacity.

    Raises:
        GdalError: it cannot be written, for instance because the disk is full.
    """
    with _errors() as messages:
        driver = gdal.GDALGetDriverByName(b"GTiff")
        handle = gdal.GDALCreate(
            driver, _name(path), width, height, bands, _PIXELS[dtype], _strings(CREATION_OPTIONS)
        )
        if not handle:
            raise _error(messages, f"{Path(path).name} cannot be written", path)
        gdal.GDALSetProjection(handle, crs.to_wkt().encode())
        gdal.GDALSetGeoTransform(handle, (c_double * 6)(*transform))
        if nodata is not None:
            gdal.GDALSetRasterNoDataValue(gdal.GDALGetRasterBand(handle, 1), nodata)
    try:
        yield OpenRaster(handle, path)
    finally:
        with _errors() as messages:
            failed = gdal.GDALClose(handle)
    if failed:
        raise _error(messages, f"{Path(path).name} cannot be written to its end", path)


def run_algorithm(
    name: str,
    arguments: Mapping[str, Any],
    progress: Callable[[float], None] | None = None,
) -> list[str]:
    """Run an algorithm, such as ``raster slope``.

    Args:
        name: the names of the algorithm and of those above it, with spaces between.
        arguments: values by GDAL's name of the argument; an ``OpenRaster`` for an input, a ``Path`` for an output.
        progress: told the share of the work that is done, from 0 to 1. What it raises stops GDAL and
            goes on to the caller.

    Returns:
        GDAL's warnings.

    Raises:
        GdalError: it failed; the text says why.
        ValueError: there is no such algorithm or argument.
    """
    caller, raised = threading.get_ident(), list[BaseException]()

    def report(share: float, _message: bytes, _data: int) -> int:
        # GDAL also reports from threads of its own; only the one that called may talk to the run.
        if progress and not raised and threading.get_ident() == caller:
            try:
                progress(share)
            except BaseException as error:  # noqa: BLE001 - it is raised again, on this side of C
                raised.append(error)
        return 0 if raised else 1

    with _errors() as messages, _algorithm(name) as algorithm:
        for key, value in arguments.items():
            _set_argument(algorithm, name, key, value)
        done = gdal.GDALAlgorithmRun(algorithm, PROGRESS(report), None) and gdal.GDALAlgorithmFinalize(
            algorithm
        )
    if raised:
        raise raised[0]
    if not done:
        used = [value.path if isinstance(value, OpenRaster) else value for value in arguments.values()]
        raise _error(messages, f"{name} failed", *(each for each in used if isinstance(each, Path)))
    return [text for level, text in messages if level < _CE_FAILURE]


@contextmanager
def _algorithm(name: str) -> Iterator[int]:
    registry = gdal.GDALGetGlobalAlgorithmRegistry()
    algorithm = gdal.GDALAlgorithmRegistryInstantiateAlgFromPath(registry, _strings(name.split()))
    gdal.GDALAlgorithmRegistryRelease(registry)
    if not algorithm:
        raise ValueError(f"GDAL has no algorithm {name!r}")
    try:
        yield algorithm
    finally:
        gdal.GDALAlgorithmRelease(algorithm)


def _set_argument(algorithm: int, name: str, key: str, value: Any) -> None:
    argument = gdal.GDALAlgorithmGetArgNonConst(algorithm, key.encode())
    if not argument:
        raise ValueError(f"GDAL's algorithm {name!r} has no argument {key!r}")
    try:
        match gdal.GDALAlgorithmArgGetType(argument):
            case kind if kind == _DATASET_LIST and isinstance(value, OpenRaster):
                done = gdal.GDALAlgorithmArgSetDatasets(argument, 1, (c_void_p * 1)(value.handle))
            case kind if kind == _DATASET and isinstance(value, Path):
                output = gdal.GDALArgDatasetValueCreate()
                gdal.GDALArgDatasetValueSetName(output, _name(value))
                done = gdal.GDALAlgorithmArgSetAsDatasetValue(argument, output)
                gdal.GDALArgDatasetValueRelease(output)
            case kind if kind == _BOOLEAN:
                done = gdal.GDALAlgorithmArgSetAsBoolean(argument, value)
            case kind if kind == _STRING:
                done = gdal.GDALAlgorithmArgSetAsString(argument, str(value).encode())
            case kind if kind == _INTEGER:
                done = gdal.GDALAlgorithmArgSetAsInteger(argument, value)
            case kind if kind == _REAL:
                done = gdal.GDALAlgorithmArgSetAsDouble(argument, value)
            case kind if kind == _STRING_LIST:
                done = gdal.GDALAlgorithmArgSetAsStringList(argument, _strings(value))
            case kind if kind == _REAL_LIST:
                numbers = (c_double * len(value))(*value)
                done = gdal.GDALAlgorithmArgSetAsDoubleList(argument, len(value), numbers)
            case _:
                done = False
    finally:
        gdal.GDALAlgorithmArgRelease(argument)
    if not done:
        raise ValueError(f"GDAL's algorithm {name!r} takes no {value!r} as {key!r}")


@contextmanager
def _errors() -> Iterator[list[tuple[int, str]]]:
    """What GDAL says meanwhile in this thread, with its level, instead of on standard error."""
    said: list[tuple[int, str]] = []

    def listen(level: int, _number: int, text: bytes) -> None:
        said.append((level, text.decode(errors="replace")))

    handler = ON_ERROR(listen)  # GDAL does not keep it alive
    gdal.CPLPushErrorHandler(handler)
    try:
        yield said
    finally:
        gdal.CPLPopErrorHandler()


def _error(messages: list[tuple[int, str]], otherwise: str, *paths: Path | str) -> GdalError:
    text = "; ".join(dict.fromkeys(said for level, said in messages if level >= _CE_FAILURE)) or otherwise
    for path in sorted(paths, key=lambda each: -len(str(each))):
        # Clients are told the names of files, but not where the server keeps them.
        text = text.replace(f"{Path(path).absolute().parent}/", "")
    return GdalError(text)


def _name(path: Path | str) -> bytes:
    """A path as GDAL takes it: absolute, so that it cannot be read as anything but a file."""
    return str(Path(path).absolute()).encode()


def _strings(texts: Any) -> Any:
    encoded = [text.encode() for text in texts]
    return (c_char_p * (len(encoded) + 1))(*encoded, None)
