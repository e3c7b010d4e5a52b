#!/bin/sh
# Builds a release into dist/: sdist, wheel, joe.pyz and their hashes. The tag is the version: HEAD has
# v<version>, and nothing is changed beside it.
set -eu
cd "$(dirname "$0")/.."

fail() { printf 'release: %s\n' "$@" >&2; exit 1; }

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
changed=$(git status --porcelain) || fail "this is no git clone." "Remedy: release from a clone"
[ -z "$changed" ] || fail "what is here is not what is committed:" "$changed" "Remedy: commit it, or put it aside with git stash -u"
grep -q "^## $version\b" CHANGELOG.md || fail "CHANGELOG.md has no section $version." "Remedy: rename Unreleased to $version, with its date, and commit"
git tag --points-at HEAD | grep -qx "v$version" || fail "HEAD has no tag v$version, the version in pyproject.toml." "Remedy: git tag -a v$version"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Only what is committed: git leaves out what is ignored, and the tree is clean.
git archive HEAD | tar -x -C "$folder" --one-top-level=tree
printf 'release: building %s (half a minute)\n' "$version"
.venv/bin/python -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check build
"$folder/venv/bin/python" -m build --outdir "$folder/dist" "$folder/tree" >"$folder/log" 2>&1 || {
    tail -n 20 "$folder/log" >&2
    fail "the build failed (its last lines are above)."
}
.venv/bin/python -m deployments.build_node "$folder/dist/joe.pyz" >/dev/null
(cd "$folder/dist" && sha256sum -- * >"$folder/SHA256SUMS")
mv "$folder/SHA256SUMS" "$folder/dist/"
rm -rf dist
mv "$folder/dist" dist
cat dist/SHA256SUMS
