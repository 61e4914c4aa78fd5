#!/bin/sh
# jobctl's Python, by its own loader and with its own libraries, in whatever image this lies.
here=/opt/jobctl/runtime
exec "$here/ld.so" --inhibit-cache --library-path "$here/lib" "$here/bin/python3" "$@"
