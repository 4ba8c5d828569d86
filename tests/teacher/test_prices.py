"""A dated table tells what common teachers cost; the user's own prices come before it."""

import datetime
import tomllib
from pathlib import Path

import pytest

import byheart
from byheart.teacher.batch import Batch
from byheart.teacher.openai import OpenAI
from byheart.teacher.prices import usual_prices

TABLE = tomllib.loads((Path(byheart.__file__).parent / "teacher/prices.toml").read_text())
SERVERS = {name: models for name, models in TABLE.items() if "." in name}


def test_the_table_is_dated_and_whole():
    assert isinstance(TABLE["as_of"], datetime.date) and TABLE["currency"] == "USD"
    assert len(SERVERS) >= 5 and set(TABLE["batch"]) <= set(SERVERS)
    for models in SERVERS.values():
        assert models and all(0 < into <= out for into, out in models.values())


@pytest.mark.parametrize("name", ["gpt-5-mini", "gpt-5-mini-2025-08-07", "gpt-5-mini-latest"])
def test_a_dated_version_costs_what_its_model_costs(name, monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    prices = OpenAI(model=name).prices
    assert (prices.into, prices.out, prices.currency) == (*SERVERS["api.openai.com"]["gpt-5-mini"], "USD")
    halved = Batch(model=name).prices
    assert (halved.into, halved.out) == (prices.into / 2, prices.out / 2)


def test_another_model_or_server_has_no_price_and_no_other_models_price():
    assert usual_prices("api.openai.com", "gpt-5-mini-high").cost(1, 1) is None
    assert usual_prices("api.openai.com", "gpt-5-minimal").cost(1, 1) is None
    assert OpenAI(model="gpt-5-mini", base_url="http://localhost:8000/v1").prices.cost(1, 1) is None


def test_the_users_prices_come_first():
    prices = OpenAI(model="gpt-5-mini", price_in=3.0, price_out=0.0).prices
    assert (prices.into, prices.out, prices.currency, prices.as_of) == (3.0, 0.0, "", "")
    assert prices.cost(10**6, 10**6) == 3.0
