"""Checks an audit log as anybody could, by its documented rule alone.

usage: audit_chain.py FILE...

The files are one log, oldest first. Prints one JSON object: `records`, and `head`, the last hash. A
record that does not follow the one before it ends it with an error.
"""

import hashlib
import json
import sys


def main(paths):
    seq, prev = 0, "0" * 64
    for path in paths:
        with open(path, "rb") as file:
            for line in file:
                record = json.loads(line)
                hashed = line.rpartition(b',"hash":')[0]
                seq += 1
                assert record["seq"] == seq, f"{path}: seq {record['seq']} instead of {seq}"
                assert record["prev"] == prev, f"{path}: seq {seq}: prev"
                prev = hashlib.sha256(hashed).hexdigest()
                assert record["hash"] == prev, f"{path}: seq {seq}: hash"
    print(json.dumps({"records": seq, "head": prev}))


main(sys.argv[1:])
