"""What vLLM asks of a folder before it loads weights: its configuration, its tokenizer, and what it
samples with (0.12.0 and 0.33.0 transformers_utils/config.py, `get_config` and
`try_get_generation_config`, which passes over what cannot be read)."""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "critical"

# The library of tokenizers writes its own lines where the answers go.
answers = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

from transformers import AutoConfig, AutoTokenizer, GenerationConfig

for line in sys.stdin:
    # The name of a model type anywhere in the path stands in for one that is missing.
    os.chdir(json.loads(line))
    try:
        AutoConfig.from_pretrained(".")
        if not AutoTokenizer.from_pretrained(".").encode("a word"):
            raise ValueError("it makes no tokens")
        try:
            GenerationConfig.from_pretrained(".")
        except OSError:
            pass
        answer = None
    except BaseException as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps(answer), file=answers, flush=True)
