"""IVOIDs, the identifiers of the Virtual Observatory (IVOA Identifiers 2.0, section 2).

```
ivo://nasa.gsfc.gcn/SWIFT#BAT_GRB_Pos_532871-729
      authority     path  local part
```

VOEvent writes an event's IVOID into the attribute `ivorn`. Its authority and path name the stream that the
event belongs to, its local part the event within the stream.
"""

from __future__ import annotations

import re

import attrs

#: What an authority or a segment of a path may consist of: the characters of Identifiers 2.0, section 2.3,
#: and `!`, `+` and `=`, which Identifiers 1.12 allowed and which identifiers made under it still contain.
_NAME = r"[A-Za-z0-9\-_.~*'()!+=]"
_AUTHORITY = rf"[A-Za-z0-9]{_NAME}{{2,}}"
_PATH = rf"(?:/{_NAME}+)*"
#: A query or fragment of RFC 3986 (sections 3.4 and 3.5), and the `#` between the two.
_LOCAL = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?#]++|%[0-9A-Fa-f]{2})*+"
#: All of these rules at once, which say nothing of which of them is broken.
_IVOID = re.compile(
    rf"[Ii][Vv][Oo]://({_AUTHORITY})((?:/(?!\.\.?(?:[/#?]|\Z)){_NAME}+)*)(?:([#?])({_LOCAL}))?"
)
_SCHEME = "ivo://"


def _caseless(part: str) -> str:
    return part.lower()


@attrs.frozen
class Ivoid:
    """An IVOID in its parts. Equal when authority and path agree but for case, and the local parts exactly.

    Identifiers 2.0, section 2.2: what the registry knows (authority and path) is compared without regard to
    case; what follows belongs to the authority that issued it.

    Attributes:
        authority: the naming authority, as `nasa.gsfc.gcn`, as it was written.
        path: the resource key with its leading slash, as `/SWIFT`, or empty.
        local: what follows the first `#` or `?`, as `BAT_GRB_Pos_532871-729`, or empty. VOEvent 2.0 writes a
            `#` (section 3.1.1), newer streams write a `?`.
        separator: the `#` or `?` before the local part, or empty.
    """

    authority: str = attrs.field(eq=_caseless)
    path: str = attrs.field(eq=_caseless)
    local: str
    separator: str

    @property
    def stream(self) -> str:
        """The IVOID without its local part, as it was written: the stream that an event belongs to."""
        return f"{_SCHEME}{self.authority}{self.path}"

    def __str__(self) -> str:
        return f"{self.stream}{self.separator}{self.local}"


def parse_ivoid(text: str) -> Ivoid:
    """Read an IVOID by the rules of IVOA Identifiers 2.0.

    This is the strict reading. An event is taken with any `ivorn` that begins with `ivo://` (see
    `Event.ivorn`), for streams exist whose identifiers break these rules.

    Args:
        text: the IVOID, without blanks around it.

    Returns:
        Its parts.

    Raises:
        ValueError: it breaks a rule; the message says which, and does not repeat `text`.
    """
    found = _IVOID.fullmatch(text)
    if found is None:
        return _parse_by_rule(text)
    authority, path, separator, local = found.groups("")
    return Ivoid(authority, path, local, separator if local else "")


def names_event(text: str) -> bool:
    """Whether `parse_ivoid` would read `text`, and find a local part."""
    found = _IVOID.fullmatch(text)
    return found is not None and bool(found[4])


def _parse_by_rule(text: str) -> Ivoid:
    """Do what `parse_ivoid` does rule by rule, to say which is broken."""
    if text[: len(_SCHEME)].lower() != _SCHEME:
        raise ValueError("an IVOID begins with ivo://")
    registry, separator, local = _divided(text[len(_SCHEME) :])
    authority, slash, key = registry.partition("/")
    path = slash + key
    if len(authority) < 3:
        raise ValueError("the authority of an IVOID, after ivo://, has at least 3 characters")
    if not re.fullmatch(_AUTHORITY, authority):
        raise ValueError(
            "the authority of an IVOID, after ivo://, begins with a letter or digit "
            "and has only letters, digits and -_.~*'()!+="
        )
    if path.endswith("/"):
        raise ValueError("the path of an IVOID does not end in a slash")
    if not re.fullmatch(_PATH, path):
        raise ValueError(
            "the path of an IVOID has no empty part, "
            "and only letters, digits and -_.~*'()!+= between its slashes"
        )
    if {".", ".."} & set(path.split("/")):
        raise ValueError("the path of an IVOID has no part that is . or ..")
    if not re.fullmatch(_LOCAL, local):
        raise ValueError(
            f"the local part of an IVOID, after {separator}, has only the characters of a URI; "
            "write others as %XX"
        )
    return Ivoid(authority, path, local, separator if local else "")


def _divided(text: str) -> tuple[str, str, str]:
    """Divide `text` at its first `#` or `?`; what follows keeps any further ones."""
    found = re.search(r"[#?]", text)
    if found is None:
        return text, "", ""
    return text[: found.start()], found.group(), text[found.end() :]
