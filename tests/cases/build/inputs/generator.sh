#!/bin/sh
echo "made for $1"
