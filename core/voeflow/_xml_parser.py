"""Each thread's parser of XML from outside, and the names that libxml2 keeps for it.

libxml2 keeps every name that it meets, of elements, attributes and namespaces, in a dictionary. lxml has one
of these for each thread, for as long as that lives. So names that nobody has used before, sent on and on,
would take memory without end; at some 300 MB libxml2 stops at the next new name, in whatever packet it
stands. So a thread that has read so much begins with a new dictionary. The old one goes with the last tree
that was read with it.
"""

from __future__ import annotations

import threading

from lxml import etree

#: After so many bytes a thread begins anew. That takes 60 us, some milliseconds where all was names. These
#: take up to four times their bytes, and a tree that somebody keeps holds on to all that were read before it.
RENEWED_AFTER = 2**20

#: Where lxml has a thread's dictionary, in what Python keeps for each thread. lxml cannot be asked to let go
#: of it while the thread lives; without it here, it makes another.
_PLACE = "_ParserDictionaryContext"


class _Thread(threading.local):
    """What a thread has: a parser is not to be used by two at once."""

    parser: etree.XMLParser | None = None
    read = 0


_this = _Thread()


def parse(raw: bytes) -> etree._Element:
    """Parse a document with this thread's parser.

    Returns:
        The root element.

    Raises:
        etree.XMLSyntaxError: it is not well-formed.
        ValueError: its encoding is not known.
        LookupError: its encoding is not known.
        MemoryError: there is no memory for it; that says nothing about the document.
    """
    _this.read += len(raw)
    if _this.parser is None:
        _this.parser = _new_parser()
    elif _this.read > RENEWED_AFTER:
        _begin_anew()
    for _ in range(2):
        try:
            return etree.fromstring(raw, _this.parser)
        except etree.XMLSyntaxError as error:
            if error.code != etree.ErrorTypes.ERR_NO_MEMORY:
                raise
        _begin_anew()  # a plugin may have filled it, with documents that it reads in this thread
    raise MemoryError("libxml2 has no memory left")


def _begin_anew() -> None:
    """Begin with a parser and a dictionary that hold no names yet."""
    import ctypes  # here, since a short-lived command never comes to this

    state = ctypes.pythonapi.PyThreadState_GetDict
    state.restype = ctypes.c_void_p  # it is lent, and `py_object` here would take it
    ctypes.cast(state(), ctypes.py_object).value.pop(_PLACE, None)
    _this.parser = _new_parser()
    _this.read = 0
    etree.fromstring(b"<a/>", _this.parser)  # at once, or the next old parser would bring the old one back


def _new_parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=False,
        remove_pis=False,
        collect_ids=False,  # an index that only id() reads; it costs time
    )
