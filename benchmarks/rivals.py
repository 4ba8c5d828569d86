"""How other tools ask the same server: `python_of_their_environment benchmarks/rivals.py SIDE URL REQUESTS`.

Started by `teacher.py --rival SIDE=PYTHON`; needs nothing but the rival (distilabel also wants `requests`). Each is used as its documentation has it, with as
many requests under way as ours. The last line printed: [seconds, seconds of CPU of it and its workers, answers].
"""

import importlib
import json
import os
import resource
import sys
import tempfile
import time

WORKERS = 32
MORE = {"temperature": 0.6, "max_tokens": 300}


def sdk(url: str, users: list[str]) -> list:
    """synthetic-data-kit: the client behind `synthetic-data-kit create`, in batches of 32."""
    from synthetic_data_kit.models.llm_client import LLMClient

    client = LLMClient(provider="api-endpoint", api_base=url, api_key="none", model_name="m", max_retries=9)
    turns = [turn(user) for user in users]
    return client.batch_completion(turns, batch_size=WORKERS, **MORE)


def distilabel(url: str, users: list[str]) -> list:
    """distilabel: a pipeline of two steps, in batches of 32."""
    from distilabel.models.llms import OpenAILLM
    from distilabel.pipeline import Pipeline
    from distilabel.steps import LoadDataFromDicts
    from distilabel.steps.tasks import TextGeneration

    with Pipeline(name="rival", cache_dir=tempfile.mkdtemp()) as pipeline:
        rows = LoadDataFromDicts(data=[{"instruction": user, "system_prompt": "You write."} for user in users])
        more = {"temperature": MORE["temperature"], "max_new_tokens": MORE["max_tokens"]}
        model = OpenAILLM(model="m", base_url=url, api_key="none", max_retries=9, generation_kwargs=more)
        rows >> TextGeneration(llm=model, use_system_prompt=True, input_batch_size=WORKERS)
    written = pipeline.run(use_cache=False)
    return [row["generation"] for row in written["default"]["train"]]


def curator(url: str, users: list[str]) -> list:
    """bespokelabs-curator: its online processor of OpenAI's protocol."""
    from bespokelabs import curator

    limits = {"max_requests_per_minute": 10**6, "max_tokens_per_minute": 10**9, "max_concurrent_requests": WORKERS}
    model = curator.LLM(
        model_name="m", backend="openai", generation_params=MORE,
        backend_params={"base_url": url, "api_key": "none", "max_retries": 9, **limits},
    )  # fmt: skip
    return list(model([turn(user) for user in users], working_dir=tempfile.mkdtemp()).dataset)


def turn(user: str) -> list[dict]:
    return [{"role": "system", "content": "You write."}, {"role": "user", "content": user}]


def spent() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    os.environ.update(
        TELEMETRY_ENABLED="0", CURATOR_DISABLE_RICH_DISPLAY="1", HF_HUB_OFFLINE="1", OPENAI_API_KEY="none"
    )
    side, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if side == "curator":  # it counts with a table that it would fetch; litellm, which it brings, carries one
        from litellm.litellm_core_utils import tokenizers

        os.environ["TIKTOKEN_CACHE_DIR"] = tokenizers.__path__[0]
    importlib.import_module(
        {"sdk": "synthetic_data_kit.models.llm_client", "curator": "bespokelabs.curator"}.get(
            side, "distilabel.pipeline"
        )
    )
    text = "The licensee must appoint a control operator before the station transmits. " * 20
    asked = [f"{text}\nQuestion {number}?" for number in range(count)]
    began, before = time.monotonic(), spent()
    said = {"sdk": sdk, "distilabel": distilabel, "curator": curator}[side](url, asked)
    good = sum(bool(one) and not str(one).startswith("ERROR") for one in said)
    print(json.dumps([time.monotonic() - began, spent() - before, good]))
