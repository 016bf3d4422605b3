"""URLs and paths that a person names as a run's input; ``{file}``, ``{port}`` … are replaced.

``{file}``, ``{port}`` and ``{bucket}`` lead to canaries: a file outside the inbox, an HTTP server, another bucket.
"""

from __future__ import annotations

NOT_ALLOWED: tuple[str, ...] = (
    "{file}",
    "file://{file}",
    "FILE://{file}",
    "file://localhost{file}",
    "{inbox}/../../../..{file}",
    "..{file}",
    "a/../../../../../..{file}",
    "%2e%2e/%2e%2e/..{file}",
    "..%2f..%2f..{file}",
    "..\\..\\x",
    "link.csv",  # a link in the inbox that leads to the file
    "linked/list.csv",  # a folder that is such a link
    "/etc/passwd",
    "file:///etc/shadow",
    "/dev/zero",
    "/dev/stdin",
    "file:///dev/urandom",
    "/proc/self/environ",
    "/proc/1/environ",
    "file:///proc/self/mem",
    "/proc/self/root{file}",
    "http://127.0.0.1:{port}/list.csv",
    "HTTP://127.0.0.1:{port}/list.csv",
    "hTtP://127.0.0.1:{port}/list.csv",
    "https://127.0.0.1:{port}/list.csv",
    "http://localhost:{port}/list.csv",
    "http://2130706433:{port}/list.csv",
    "http://0x7f000001:{port}/list.csv",
    "http://0177.0.0.1:{port}/list.csv",
    "http://127.1:{port}/list.csv",
    "http://user:word@127.0.0.1:{port}/list.csv",  # pragma: allowlist secret
    "http://evil.example@127.0.0.1:{port}/list.csv",
    "http://127.0.0.1:{port}\\@evil.example/list.csv",  # pragma: allowlist secret
    "http://evil.example#@127.0.0.1:{port}/list.csv",
    "http://①②⑦.⓪.⓪.①:{port}/list.csv",
    "http:///127.0.0.1:{port}/list.csv",
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "s3://aws_default@{bucket}/list.csv",
    "S3://aws_default@{bucket}/list.csv",
    "s3://{bucket}/list.csv",
    "s3a://{bucket}/list.csv",
    "gs://{bucket}/list.csv",
    "abfs://{bucket}/list.csv",
    "simplecache::file://{file}",
    "filecache::http://127.0.0.1:{port}/list.csv",
    "blockcache::s3://{bucket}/list.csv",
    "zip://list.csv::file://{file}",
    "tar://x::http://127.0.0.1:{port}/list.csv",
    "local://{file}",
    "memory://list.csv",
    "reference://{file}",
    "dir://{file}",
    "ftp://127.0.0.1:{port}/list.csv",
    "sftp://127.0.0.1:{port}/list.csv",
    "smb://127.0.0.1:{port}/list.csv",
    "gopher://127.0.0.1:{port}/_x",
    "ldap://127.0.0.1:{port}/x",
    "hdfs://127.0.0.1:{port}/x",
    "webhdfs://127.0.0.1:{port}/x",
    "github://a:b@/list.csv",
    "git://x@{file}",
    "postgresql://127.0.0.1:{port}/airflow",
    "{{{{ conn.canary_default.password }}}}/../..{file}",
    "list\ncsv",
    "list\u202ecsv",
    "x" * 2001,
)
"""Outside the allowed folders."""

NOT_PUBLIC: tuple[str, ...] = (
    "http://127.0.0.2:{port}/list.csv",
    "HTTP://127.0.0.2:{port}/list.csv",
    "http://0.0.0.0:{port}/list.csv",
    "http://[::1]:{port}/list.csv",
    "http://[::]:{port}/list.csv",
    "http://[::127.0.0.2]:{port}/list.csv",
    "http://[::ffff:127.0.0.2]:{port}/list.csv",
    "http://[::ffff:0:127.0.0.2]:{port}/list.csv",
    "http://[64:ff9b::127.0.0.2]:{port}/list.csv",
    "http://[64:ff9b:1::127.0.0.2]:{port}/list.csv",
    "http://[2002:7f00:2::]:{port}/list.csv",
    "http://[fec0::1]:{port}/list.csv",
    "http://[fe80::1]:{port}/list.csv",
    "http://[fd00:ec2::254]:{port}/list.csv",
    "http://169.254.169.254:{port}/list.csv",
    "http://10.0.0.1:{port}/list.csv",
    "http://100.64.0.1:{port}/list.csv",
    "http://192.168.0.1:{port}/list.csv",
    "http://224.0.0.1:{port}/list.csv",
    "http://255.255.255.255:{port}/list.csv",
)
"""Of an allowed server whose address isn't public, as if an attacker controlled its name."""

NOT_THERE: tuple[str, ...] = ("file:{file}", "~/.ssh/id_rsa", "data:text/csv;base64,YQ==")
"""Taken as names of files in the inbox, where there are none."""

MOST_HARMFUL = ("{file}", "HTTP://127.0.0.1:{port}/list.csv", "s3://aws_default@{bucket}/list.csv", "/dev/zero")
OF_RUNS: dict[str, str] = {
    "titanic_ml_pipeline": "passengers",
}
"""Params of DAGs: each gets the most harmful ones in runs of its own."""
