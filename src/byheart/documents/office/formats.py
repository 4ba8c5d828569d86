"""Which files of word processors, slides, spreadsheets and e-books are read, and what is said about the others."""

import importlib.util

from byheart.errors import Problem

INSTALL = "pip install 'byheart[office]'"
NEEDS = {".docx": "mammoth", ".pptx": "pptx", ".xlsx": "openpyxl", ".epub": ""}  # the package of the extra, if any
SUFFIXES = tuple(NEEDS)
# What holds macros, or is written in a format that no library of a permissive licence reads well.
_SAVE_AS = {
    **dict.fromkeys((".doc", ".docm", ".dot", ".dotm", ".dotx", ".rtf", ".odt", ".pages", ".wps", ".wpd"), ".docx"),
    **dict.fromkeys((".ppt", ".pptm", ".pps", ".ppsx", ".ppsm", ".pot", ".potx", ".odp", ".key"), ".pptx"),
    **dict.fromkeys((".xls", ".xlsm", ".xlsb", ".xlt", ".xltx", ".xltm", ".ods", ".numbers"), ".xlsx"),
    **dict.fromkeys((".mobi", ".azw", ".azw3", ".fb2"), ".epub"),
}


def is_missing(suffix: str) -> bool:
    """Whether files of this kind could be read if the extra were installed."""
    package = NEEDS.get(suffix.lower(), "")
    return bool(package) and importlib.util.find_spec(package) is None


def advice(suffix: str) -> tuple[str, str]:
    """What is wrong with files of this suffix, and what to do; two empty strings where nothing is known."""
    suffix = suffix.lower()
    if is_missing(suffix):
        return f"cannot read {suffix} without the extra [office]", INSTALL
    if other := _SAVE_AS.get(suffix):
        macros = " with macros" if suffix.endswith("m") else ""
        return f"cannot read {suffix}{macros}", f"save it as {other} in the program that made it"
    return "", ""


def damaged(where: str, suffix: str, why: str = "") -> Problem:
    fix = "open it in the program that made it, and save it again"
    return Problem(f"the {suffix} file is damaged" + (f": {why}" if why else ""), where, fix=fix)
