"""Reads a page of metrics as the official Prometheus client for Python would.

usage: openmetrics.py openmetrics|text FILE

Parses the file with the parser of that format, and checks what the OpenMetrics parser leaves to
others: that the page ends with `# EOF`, and that no two families have the same name. Prints one
JSON object: `families` from name to type, and `samples`, sorted, each
[name, {label: value}, value]. A page that breaks the format ends it with an error.

Families of both formats have the same names: the parser for text takes `_total` off, too. The
`samples` of a page in one format are those of the page in the other, but for what moves from scrape
to scrape.
"""

import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

PARSERS = {"openmetrics": read_openmetrics, "text": read_text}


def main(kind, path):
    # The parsers want lines that end with \n, and Python would accept others.
    with open(path, encoding="utf-8", newline="") as file:
        page = file.read()
    if (kind == "openmetrics") != page.endswith("\n# EOF\n"):
        sys.exit(f"{path}: `# EOF` is missing or too much")

    families, samples = {}, []
    for family in PARSERS[kind](page):
        if family.name in families:
            sys.exit(f"{path}: the family {family.name} is there twice")
        families[family.name] = family.type
        for sample in family.samples:
            if sample.timestamp is not None or sample.exemplar is not None:
                sys.exit(f"{path}: {sample} has a timestamp or an exemplar")
            samples.append([sample.name, sample.labels, str(sample.value)])

    samples.sort(key=lambda sample: (sample[0], sorted(sample[1].items())))
    print(json.dumps({"families": families, "samples": samples}))


if __name__ == "__main__":
    main(*sys.argv[1:])
