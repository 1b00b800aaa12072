#!/bin/sh
cat src/* > "$FORGE_OUTPUT"
echo "echo $GREETING $1" >> "$FORGE_OUTPUT"
