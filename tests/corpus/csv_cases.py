"""CSV: headers, quotes, line ends, options, values of every type, and fields that nobody knew."""

from __future__ import annotations

from tests.corpus.groups import Group, in_files, named
from tests.corpus.ndjson_cases import BASE64, INSTANTS, NUMBERS, SCALARS, WORDS
from tests.reference.reader import Asked

from autoloader.model import FormatType, UnknownFields

HEADERS: list[bytes | str] = [
    "", "\n", "\r\n", "\n\n\r\n", "\ufeff", "\ufeff\n", "id,s", "id,s\n", "id,s\r\n", "\n\nid,s\n1,a\n", "\ufeffid,s\n1,a\n", '\ufeff"id","s"\n1,a\n', "s,id\na,1\n", "ID,S\n1,a\n",
    "Id,s,ID\n1,a,2\n", "ID,Id,s\n1,2,a\n", "id,ID,s\n1,2,a\n", "id\n1\n", "s\na\n", "x\n1\n", "1,a\n2,b\n", "id,s,id\n1,a,2\n", "id,s,x,x\n1,a,b,c\n", "id,s,,\n1,a,,\n", "id,s,,\n1,a,b,c\n",
    '"id","s"\n1,a\n', '"i""d",s\n1,a\n', ' id,s\n1,a\n', 'id ,s\n1,a\n', 'id,"s\n"\n1,a\n', 'id,s,"x\ny"\n1,a,b\n2,c,d\nx,e,f\n', 'id,s"\n1,a\n', 'id,"s\n1,a\n', 'id,"s"x\n1,a\n', b"id,s,\xff\n1,a,b\n", b"id,\xff\n1,a\n", "id,s,\n1,a,\n", ",id,s\n,1,a\n",
    "id;s\n1;a\n", "id\ts\n1\ta\n", "id,s\n\n\n", 'id,s\n""\n', "id,s\n,\n", "id,s\n\n,\n\n", "id,s,_c0\n1,a,b\n", "\"\"\n1\n", "id,s,\"\"\n1,a,b\n", "\u0130D,s\n1,a\n", "ıd,s\n1,a\n", "id,\u017f\n1,a\n",
]  # fmt: skip
FIELDS: list[bytes | str] = [
    "1,a", "1,", ",a", ",", '1,""', '"",""', '"1","a"', '"1",a', '1,"a,b"', '1,"a""b"', '1,""""', '1,""""""', '1,"a\nb"', '1,"a\r\nb"', '1,"\n"', '1,"a\n\nb"\nx,c', '1,a"b', '1,"a"b', '1,"a" ', '1, "a"', '1,"a""', '1,"a', '"1,a', '1,"a"b"', "1,a\nb", "1,a\r\n2,b", "1,a\r2,b", "1,a\r\r\n2,b",
    "1,\ta", "1, a ", "1,  ", " 1,a", "1 ,a", "1,a,", "1,a,,", "1,a,b", "1", '"1"', "1;a", "", "\r\n", "\n\n2,b", " ", "\t", ",,", '1,"a"\r\n2,"b"\r\n', '1,"a"\r', '1,"a"\r2,b', "1,'a'", "1,'a,b'", "1,\\a", '1,"a\\"b"', '1,"a\\', '1,"a\\"', "#1,a", "#", '1,#a', "NULL,NULL", "NA,NA", "null,null", "\\N,\\N", '1,"\\N"',
    "1,\u00e9", "1,\u2028", "1,\u0085", "1,a\x0bb", "1,a\x0cb", "1,\x1c", "1,\ufeff", "\ufeff1,a", b"1,\xff", b"\xff,a", b'1,"\xff\n"\nx,b', b"1,\xc3\n2,b", b"1,\xed\xa0\x80", "1,\U0001f600", "1," + "a" * 100_000, "1," + '"' + "a\n" * 3000 + '"\nx,b', "x,y", '"x","y\nz"', "1,a\n" * 200 + "x,b\n" + "2,c\n" * 100,
    '1,"a"\n2,"b', '1,"x"y\n2,b\n3,"c"', '1,a"b\n2,"c\nd"\nx,e', '1,"a"b\n2,"c\nd"\nx,e', '1,"a\nb"c\n2,d\nx,e', '1,"a\nb"c"\n2,d"\nx,e', '"1\n",a', '1\n,a', '1,"a",\n2,b', '1,a,"b\n2,c', '1,"a\x00b"' + "\n" * 1, "1,a\n" * 1200 + "2,\x00\n", '""1,a', '"",a', '1,"" ', '1,"""', '1,"a"""', '1,"a"""""', '1,a""', '1,""a', '""""",a',
]  # fmt: skip
OTHER: list[bytes | str] = [
    "1;'it\\'s'", "1;'a\\\\'", "1;'a\\\\\\'b'", "1;'a\\nb'", "1;'a\\", "1;'a\\'", "1;'a''b'", "1;\"a\"", "1;a\\;b", "1;'a;b'", "1;a,b", "#1;a", "  #1;a", "1;#a", "#;'\n1;a", "1;'a\n#b'", "#'\n2;b", "1;'a'\n#x\n\n2;b", "NA;NA", "1;'NA'", "'NA';a", "1;NA ", "1;na", "NA", "1;''",
    "1;", ";", "'#1';a", "1;'\\\n'", "1;'\\\\\n'", "x;'\n'\n#\ny;b", "1;\\'a", "1;'a\\\\\\\\'", "1;'\\#'", "1;'\\;'", "1;\\", "1;\\\\", '1;"', "1;'\"'", "1\t;a", "1;a;", "#", "#\r\n1;a\r\n", "1;a\r\n#\r\n", "1;'\\a\\'\\\\b'",
]  # fmt: skip
BARE: list[bytes | str] = ["", "\n", "1,a", "1,a\n", "id,s\n", "\ufeff1,a\n", "1,a\n2,b,c\n", "1\n", '"1","a"\n', ",\n", "\n\n1,a\n", "1,a\n\n2,b\n", "x,a\n", '"x\n",a\n', "1,a\r\n2,b\r\n", "1,a|2,b\n", '""\n', "a,1\n"]  # fmt: skip
ALONE: list[bytes | str] = ["s", "s\n", "s\na\n", 's\n""\n', "s\n\n\n", "s\n \n", 's\n"\n"\n', "s\r\na\r\n\r\nb\r\n", "s\n,\n", 's\n"a\n', "s\n\r\n", "s\na", 's\n"a"', "s\n\ta\n"]  # fmt: skip
LITERAL: list[bytes | str] = [
    '1|say "hi"',
    '1|"x',
    '"1"|a',
    "1|''",
    '1|""',
    "1|a\\|b",
    "1|",
    "|",
    "1|a|b",
    '"|"',
    "1|#",
    "1|\u00e9",
]
KEPT: list[bytes | str] = [
    "id,new,name\n1,x,y\n", "id,new,name\n1,,y\n", 'id,new,name\n1,"",y\n', "name,id\ny,1\n", "b,id,name,a,B\n1,2,3,4,5\n", "id,name,,\n1,x,a,b\n", ",id,name\na,1,x\n", 'id,name,"new\nline"\n1,x,"a\nb"\n', "id,ID,name\n1,2,x\n", "ID,name,iD\n1,x,2\n",
    'id,name,x\n1,a,"say ""hi"""\n', "id,name,x\n1,a,\t\n", "id,name,x\nx,a,b\n", "id,name,x\n1,a\n", b"id,name,x\n1,a,\xff\n", "id,name,x\n1,a,NA\n", 'id,name,x\n1,a,"NA"\n', "id,name,\u00e9\n1,a,\u2028\n", 'id,name,"a""b\\"\n1,a,c\n', "id,name,k10,k9,K\n1,a,b,c,d\n", "_rescued_data,id,name\nmine,1,x\n", "id,name,_c3,\n1,x,a,b\n", "id,name,\ufeff\n1,x,a\n",
]  # fmt: skip
NESTED: list[bytes | str] = [
    'id,t,p\n1,"[1]","{""a"": 1}"\n',
    "id,t,p\n1,,\n",
    'id,t,p\n1,"",""\n',
    "id,t,p\n1,x,y\n",
    "id,t,p\n1,[],{}\n",
]


def _with_header(bodies: list[bytes | str], header: str) -> dict[str, bytes]:
    """Each record in a file of its own, once with a line end behind it and once without (``-last``)."""
    start = header.encode()
    return {
        name: start + body + (b"\n" if not body.endswith(b"\n") else b"") for name, body in named(*bodies).items()
    } | {f"{name}-last": start + body for name, body in named(*bodies).items()}


def _values() -> dict[str, bytes]:
    """The texts of every type, in fields quoted and not."""
    columns = [part.split()[0] for part in SCALARS.split(", ")]
    texts = [*((name, text) for text in [*NUMBERS.split(), *WORDS] for name in columns)]
    texts += [(name, text) for text in INSTANTS for name in ("at", "ntz", "day")] + [("raw", text) for text in BASE64]
    lines = []
    for name, text in texts:
        quoted = '"' in text or "," in text or "\n" in text or "\r" in text or len(text) % 2
        field = '"' + text.replace('"', '""') + '"' if quoted else text
        lines.append(",".join(field if column == name else "" for column in columns))
    readable = [line for line in lines if "\0" not in line]
    return in_files(readable, Asked(FormatType.CSV, SCALARS), ",".join(columns) + "\n")


IDS = "id BIGINT, s STRING"
CSV = FormatType.CSV
GROUPS = [
    Group(name="headers", ddl=IDS, files=named(*HEADERS), format_type=CSV),
    Group(name="fields", ddl=IDS, files=_with_header(FIELDS, "id,s\n"), format_type=CSV),
    Group(name="another dialect", ddl=IDS, files=_with_header(OTHER, "id;s\n"), format_type=CSV,
          options={"sep": ";", "quote": "'", "escape": "\\", "comment": "#", "nullValue": "NA"}),
    Group(name="no header", ddl=IDS, files=named(*BARE), format_type=CSV, options={"header": "false", "comment": "|"}),
    Group(name="one column alone", ddl="s STRING", files=named(*ALONE), format_type=CSV),
    Group(name="no quotes", ddl=IDS, files=_with_header(LITERAL, "id|s\n"), format_type=CSV, options={"sep": "|", "quote": ""}),
    Group(name="fields that nobody knew are kept", ddl="id BIGINT, name STRING", files=named(*KEPT), format_type=CSV,
          unknown=UnknownFields.RESCUE, options={"nullValue": "NA"}),
    Group(name="fields that nobody knew are refused", ddl="id BIGINT, name STRING", files=named(*KEPT), format_type=CSV,
          unknown=UnknownFields.FAIL),
    Group(name="values in fields", ddl=SCALARS, files=_values, format_type=CSV),
    Group(name="fields in another encoding", ddl=IDS, format_type=CSV, options={"encoding": "cp1252", "sourceRow": "true"},
          files=named(b"id,s\n1,Gr\xf6\xdfe\n", b"id,s\n1,\x80\n", b"id,s\n1,\x81\n", b'id,s\n1,"\xe4\n"\nx,\xe4\n', b"\xef\xbb\xbfid,s\n1,a\n")),
    Group(name="fields in latin-1 by position", ddl="s STRING, n INT", format_type=CSV, options={"encoding": "latin-1", "header": "false"},
          files=named(b"\xe4,1\n", b"\xef\xbb\xbf\xe4,1\n", b"\x85,1\n\xa0,2", b"PK\x03\x04,1\n", b'"\xe4\n",1\nx,y\n', b"Obj\x01,1\n", b"BZh9,1\n", b"\x1f\x9d,1\n")),
    Group(name="fields in UTF-16", ddl=IDS, format_type=CSV, options={"encoding": "utf-16"},
          files=named("id,s\n1,ä\n".encode("utf-16"), "id,s\nx,\U0001f600\n".encode("utf-16-be"), b"id,s\n1,a\n", "id,s\n1,a".encode("utf-16") + b"\n",
                      b"\xfe\xff" + 'id,s\n1,"a\nb"\n'.encode("utf-16-be"), b"", b"\xff\xfe", b"\xff\xfe\x00\xd8")),
]  # fmt: skip
