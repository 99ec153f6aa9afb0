# How the demo shows what it does: every command, then its output.

title() {
    printf '\n# %s\n\n' "$1"
}

run() {
    printf '%s %s\n' "${PROMPT:-$}" "$1"
    eval "$1"
}
