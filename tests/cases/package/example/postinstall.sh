#!/bin/sh
echo "hello is here"
