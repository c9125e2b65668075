"""Each thread's parser of XML from outside, and the names that libxml2 keeps for it.

libxml2 keeps every name that it meets, of elements, attributes and namespaces, in a dictionary. lxml has one
of these for each thread, for as long as that lives. So names that nobody has used before, sent on and on,
would take memory without end; at some 300 MB libxml2 stops at the next new name, in whatever packet it
stands. So a thread that has read so much, or so many names, begins with a new dictionary. The old one goes
with the last tree that was read with it: so what an event that waits holds on to of the names of others,
that were read before or after it, is little, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import attrs
from lxml import etree

#: After so many bytes a thread begins anew. That takes 60 us, some milliseconds where all was names.
RENEWED_AFTER = 2**18

#: After so many bytes the names are counted, and after so many names a thread begins anew, too: short ones
#: take several times their bytes. A stream of events has some hundred.
COUNTED_AFTER, MOST_NAMES = 2**15, 1024

#: Where lxml has a thread's dictionary, in what Python keeps for each thread. lxml cannot be asked to let go
#: of it while the thread lives; without it here, it makes another.
_PLACE = "_ParserDictionaryContext"


#: How many names this thread's dictionary has. What lxml offers for finding leaks may go some day: then 0.
_number_of_names: Callable[[], int] = getattr(getattr(etree, "memory_debugger", None), "dict_size", int)


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


@attrs.define(eq=False, repr=False)
class _Parser:
    """The parser of a thread: one is not to be used by two at once.

    Attributes:
        parser: lxml's.
        left: how many bytes may be read before it begins anew.
        counted_at: once `left` is below this, the names are to be counted.
    """

    parser: etree.XMLParser = attrs.field(factory=_new_parser)
    left: int = attrs.field(factory=lambda: RENEWED_AFTER)
    counted_at: int = attrs.field(factory=lambda: RENEWED_AFTER - COUNTED_AFTER)

    def look(self, size: int) -> None:
        """Begin anew if it is time to, before a document of `size` bytes is read."""
        long = size > COUNTED_AFTER  # its names are not to stay with what was read before it
        if long or self.left < 0 or _number_of_names() > MOST_NAMES:
            self.begin_anew()
            self.left -= size
        else:
            self.counted_at = self.left - COUNTED_AFTER

    def begin_anew(self) -> None:
        """Begin with a parser and a dictionary that hold no names yet."""
        import ctypes  # here, since a short-lived command never comes to this

        state = ctypes.pythonapi["PyThreadState_GetDict"]
        state.restype = ctypes.c_void_p  # it is lent, and `py_object` here would take it
        ctypes.cast(state(), ctypes.py_object).value.pop(_PLACE, None)
        self.parser, self.left = _new_parser(), RENEWED_AFTER
        self.counted_at = self.left - COUNTED_AFTER
        etree.fromstring(b"<a/>", self.parser)  # at once: the next old parser would bring the old one back

    def parse_anew(self, raw: bytes) -> etree._Element:
        """Parse a document for which there was no memory."""
        self.begin_anew()  # a plugin may have filled the dictionary: it reads in this thread, too
        try:
            return etree.fromstring(raw, self.parser)
        except etree.XMLSyntaxError as error:
            if error.code == etree.ErrorTypes.ERR_NO_MEMORY:
                raise MemoryError("libxml2 has no memory left") from None
            raise


_per_thread = threading.local()


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
    try:
        mine: _Parser = _per_thread.parser
    except AttributeError:
        mine = _per_thread.parser = _Parser()
    mine.left -= len(raw)
    if mine.left < mine.counted_at:
        mine.look(len(raw))
    try:
        return etree.fromstring(raw, mine.parser)
    except etree.XMLSyntaxError as error:
        if error.code != etree.ErrorTypes.ERR_NO_MEMORY:
            raise
    return mine.parse_anew(raw)
