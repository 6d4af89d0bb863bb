"""Checks the licenses of all packages in the virtual environment of this interpreter.

They are tools of the tests and are not distributed. A package states its license as an SPDX
expression, as classifiers, or in words.
"""

import re
import sys
from importlib.metadata import distributions

ALLOWED = {
    "MIT", "MIT-0", "MIT-CMU", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "MPL-2.0", "Unlicense", "0BSD",
    "CC0-1.0", "Zlib", "PSF-2.0", "Python-2.0", "BlueOak-1.0.0",
}
# How packages without an SPDX expression say it, in lower case.
NAMES = {
    "mit": "MIT", "mit license": "MIT", "bsd": "BSD-3-Clause", "bsd license": "BSD-3-Clause", "bsd 3-clause": "BSD-3-Clause",
    "bsd-3-clause": "BSD-3-Clause", "bsd-2-clause": "BSD-2-Clause", "apache 2.0": "Apache-2.0", "apache-2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0", "apache software license": "Apache-2.0", "apache license, version 2.0": "Apache-2.0",
    "isc": "ISC", "isc license (iscl)": "ISC", "mpl-2.0": "MPL-2.0", "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0", "psf-2.0": "PSF-2.0", "the unlicense (unlicense)": "Unlicense",
}


def allowed(expression: str) -> bool:
    """Evaluates an SPDX expression such as "(MIT OR Apache-2.0) AND PSF-2.0"."""
    terms = re.sub(r"[()]", " ", expression).strip()
    return all(any(one.strip() in ALLOWED for one in re.split(r"\s+OR\s+", every)) for every in re.split(r"\s+AND\s+", terms))


def stated(metadata) -> str:
    """Returns what a package states, as an SPDX expression if it is known."""
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [c.rsplit("::", 1)[1].strip() for c in metadata.get_all("Classifier", []) if c.startswith("License :: ")]
    names = [name for name in classifiers if name != "OSI Approved"] or [(metadata.get("License") or "").strip()]
    return " OR ".join(NAMES.get(name.lower(), name) for name in names)


def main() -> int:
    failed, count = False, 0
    for package in distributions():
        count += 1
        license = stated(package.metadata)
        if not allowed(license):
            name = f"{package.metadata['Name']}=={package.version}"
            print(f"{sys.argv[1]}: {name} has a license that is not allowed: {license[:80] or 'none stated'}", file=sys.stderr)
            failed = True
    if count == 0:
        print(f"{sys.argv[1]}: no packages are installed", file=sys.stderr)
        failed = True
    print(f"{sys.argv[1]}: {count} packages")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
