# Filled below: what `cmake --install` copies.
