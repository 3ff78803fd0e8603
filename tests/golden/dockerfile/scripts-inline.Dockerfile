FROM python:3.12-slim
COPY <<-"EOT" /usr/local/bin/hello
	#!/bin/sh
	echo "hello $1"
	EOT
COPY <<main.py <<requirements.txt /app/
print("hi")
main.py
requests==2.32.3
requirements.txt
RUN <<EOR
#!/usr/bin/env python3
import pathlib
pathlib.Path("/made").write_text("by python")
EOR
RUN <<A cat > /a && cat <<B > /b
first
A
second
B
RUN python3 <<EOT > /out
print(1 << 2)
EOT
