"""The GDAL library that pyogrio has loaded, with the functions of its C interface that are used here.

GDAL's own bindings for Python come in no wheel, but pyogrio's wheel carries the whole of GDAL.
"""

import ctypes
import re
from ctypes import CFUNCTYPE, POINTER, c_bool, c_char_p, c_double, c_int, c_size_t, c_void_p
from pathlib import Path
from typing import Any, Final

import pyogrio

STRINGS: Final = POINTER(c_char_p)
DOUBLES: Final = POINTER(c_double)
PROGRESS: Final = CFUNCTYPE(c_int, c_double, c_char_p, c_void_p)
ON_ERROR: Final = CFUNCTYPE(None, c_int, c_int, c_char_p)

FUNCTIONS: Final[dict[str, tuple[Any, list[Any]]]] = {
    "GDALAllRegister": (None, []),
    "CPLPushErrorHandler": (None, [ON_ERROR]),
    "CPLPopErrorHandler": (None, []),
    "GDALGetGlobalAlgorithmRegistry": (c_void_p, []),
    "GDALAlgorithmRegistryInstantiateAlgFromPath": (c_void_p, [c_void_p, STRINGS]),
    "GDALAlgorithmRegistryRelease": (None, [c_void_p]),
    "GDALAlgorithmRelease": (None, [c_void_p]),
    "GDALAlgorithmRun": (c_bool, [c_void_p, PROGRESS, c_void_p]),
    "GDALAlgorithmFinalize": (c_bool, [c_void_p]),
    "GDALAlgorithmGetArgNonConst": (c_void_p, [c_void_p, c_char_p]),
    "GDALAlgorithmArgRelease": (None, [c_void_p]),
    "GDALAlgorithmArgGetType": (c_int, [c_void_p]),
    "GDALAlgorithmArgSetAsBoolean": (c_bool, [c_void_p, c_bool]),
    "GDALAlgorithmArgSetAsString": (c_bool, [c_void_p, c_char_p]),
    "GDALAlgorithmArgSetAsInteger": (c_bool, [c_void_p, c_int]),
    "GDALAlgorithmArgSetAsDouble": (c_bool, [c_void_p, c_double]),
    "GDALAlgorithmArgSetAsStringList": (c_bool, [c_void_p, STRINGS]),
    "GDALAlgorithmArgSetAsDoubleList": (c_bool, [c_void_p, c_size_t, DOUBLES]),
    "GDALAlgorithmArgSetDatasets": (c_bool, [c_void_p, c_size_t, POINTER(c_void_p)]),
    "GDALAlgorithmArgSetAsDatasetValue": (c_bool, [c_void_p, c_void_p]),
    "GDALArgDatasetValueCreate": (c_void_p, []),
    "GDALArgDatasetValueSetName": (None, [c_void_p, c_char_p]),
    "GDALArgDatasetValueRelease": (None, [c_void_p]),
    "GDALOpenEx": (c_void_p, [c_char_p, c_int, STRINGS, STRINGS, STRINGS]),
    "GDALGetDriverByName": (c_void_p, [c_char_p]),
    "GDALCreate": (c_void_p, [c_void_p, c_char_p, c_int, c_int, c_int, c_int, STRINGS]),
    "GDALClose": (c_int, [c_void_p]),
    "GDALGetRasterXSize": (c_int, [c_void_p]),
    "GDALGetRasterYSize": (c_int, [c_void_p]),
    "GDALGetProjectionRef": (c_char_p, [c_void_p]),
    "GDALSetProjection": (c_int, [c_void_p, c_char_p]),
    "GDALGetGeoTransform": (c_int, [c_void_p, DOUBLES]),
    "GDALSetGeoTransform": (c_int, [c_void_p, DOUBLES]),
    "GDALGetRasterBand": (c_void_p, [c_void_p, c_int]),
    "GDALGetRasterScale": (c_double, [c_void_p, POINTER(c_int)]),
    "GDALGetRasterOffset": (c_double, [c_void_p, POINTER(c_int)]),
    "GDALGetRasterNoDataValue": (c_double, [c_void_p, POINTER(c_int)]),
    "GDALSetRasterNoDataValue": (c_int, [c_void_p, c_double]),
    "GDALRasterIO": (c_int, [c_void_p, *[c_int] * 5, c_void_p, *[c_int] * 5]),
}
"""Every function used, with what it returns and takes."""


def load() -> ctypes.CDLL:
    """The GDAL that pyogrio has loaded.

    Raises:
        ImportError: there is none, or it is too old for its algorithms; the text says what to install.
    """
    lines = Path("/proc/self/maps").read_text().splitlines()
    paths = {fields[5] for fields in (line.split(maxsplit=5) for line in lines) if len(fields) > 5}
    loaded = [path for path in paths if re.search(r"/libgdal[^/]*\.so[^/]*$", path)]
    # Another package may have brought a GDAL of its own.
    own = [path for path in loaded if "pyogrio" in path] or sorted(loaded)
    cure = (
        "terrain needs pyogrio's wheel with GDAL 3.12: pip install 'milepost[gp]' or 'milepost[production]'"
    )
    if not own:
        raise ImportError(f"pyogrio {pyogrio.__version__} has loaded no GDAL library; {cure}")
    library = ctypes.CDLL(own[0])
    missing = [name for name in FUNCTIONS if not hasattr(library, name)]
    if missing:
        raise ImportError(f"GDAL {pyogrio.__gdal_version_string__} lacks {', '.join(missing)}; {cure}")
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.GDALAllRegister()
    return library


gdal: Final = load()
