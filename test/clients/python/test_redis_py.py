"""redis-py, synchronous and asyncio, with its default options."""

import asyncio
import threading

import pytest
import redis
import redis.asyncio


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def client(request, redis_address):
    host, port = redis_address
    with redis.Redis(host=host, port=port, decode_responses=True, protocol=request.param) as client:
        yield client


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
async def async_client(request, redis_address):
    host, port = redis_address
    async with redis.asyncio.Redis(host=host, port=port, decode_responses=True, protocol=request.param) as client:
        yield client


class TestStrings:
    def test_set_and_get(self, client):
        assert client.set("greeting", "hello") is True
        assert client.get("greeting") == "hello"
        assert client.get("missing") is None
        assert client.strlen("greeting") == 5
        assert client.append("greeting", " world") == 11
        assert client.getrange("greeting", 6, -1) == "world"

    def test_options_of_set(self, client):
        assert client.set("k", "1", nx=True) is True
        assert client.set("k", "2", nx=True) is None
        assert client.set("k", "3", xx=True, get=True) == "1"
        assert client.set("k", "4", ex=100) is True
        assert 0 < client.ttl("k") <= 100
        assert client.set("k", "5", keepttl=True) is True
        assert client.ttl("k") > 0

    def test_counters(self, client):
        assert client.incr("n") == 1
        assert client.incrby("n", 41) == 42
        assert client.decr("n") == 41
        assert client.incrbyfloat("n", 0.5) == 41.5
        client.set("text", "abc")
        with pytest.raises(redis.ResponseError, match="value is not an integer or out of range"):
            client.incr("text")

    def test_many_at_once(self, client):
        assert client.mset({"a": "1", "b": "2"}) is True
        assert client.mget("a", "b", "c") == ["1", "2", None]
        assert client.msetnx({"a": "9", "d": "9"}) in (False, 0)
        assert client.delete("a", "b", "c") == 2

    def test_bytes_survive(self, redis_address):
        host, port = redis_address
        everything = bytes(range(256)) * 1000
        with redis.Redis(host=host, port=port) as client:
            client.set(b"\x00\xff", everything)
            assert client.get(b"\x00\xff") == everything


class TestPipelines:
    def test_a_transaction(self, client):
        with client.pipeline() as pipe:
            assert pipe.set("a", 1).incr("a").get("a").execute() == [True, 2, "2"]

    def test_without_transaction(self, client):
        with client.pipeline(transaction=False) as pipe:
            for i in range(1000):
                pipe.set(f"key:{i}", i)
            assert pipe.execute() == [True] * 1000
        assert client.dbsize() == 1000

    def test_watch(self, client, redis_address):
        client.set("balance", 10)
        with client.pipeline() as pipe:
            pipe.watch("balance")
            client.set("balance", 20)
            pipe.multi()
            pipe.set("balance", 11)
            with pytest.raises(redis.WatchError):
                pipe.execute()
        assert client.get("balance") == "20"
        client.transaction(lambda pipe: pipe.multi() or pipe.incr("balance"), "balance")
        assert client.get("balance") == "21"

    def test_an_error_inside(self, client):
        with client.pipeline() as pipe:
            pipe.set("a", "text").incr("a").get("a")
            results = pipe.execute(raise_on_error=False)
        assert results[0] is True and results[2] == "text"
        assert isinstance(results[1], redis.ResponseError)


class TestPublishSubscribe:
    def test_channels_and_patterns(self, client):
        with client.pubsub() as subscription:
            subscription.subscribe("news")
            subscription.psubscribe("weather.*")
            greetings = [subscription.get_message(timeout=5) for _ in range(2)]
            assert [(m["type"], m["channel"]) for m in greetings] == [("subscribe", "news"), ("psubscribe", "weather.*")]
            assert client.publish("news", "hello") == 1
            assert client.publish("weather.oslo", "rain") == 1
            assert client.publish("nobody", "hears") == 0
            first, second = (subscription.get_message(timeout=5) for _ in range(2))
            assert (first["type"], first["channel"], first["data"]) == ("message", "news", "hello")
            assert (second["type"], second["pattern"], second["channel"], second["data"]) == (
                "pmessage",
                "weather.*",
                "weather.oslo",
                "rain",
            )

    def test_a_listening_thread(self, client):
        heard = threading.Event()
        with client.pubsub() as subscription:
            subscription.subscribe(**{"news": lambda message: heard.set()})
            assert subscription.get_message(timeout=5)["type"] == "subscribe"
            thread = subscription.run_in_thread(sleep_time=0.01)
            client.publish("news", "hello")
            assert heard.wait(5)
            thread.stop()
            thread.join()


class TestBlocking:
    def test_a_waiting_pop_is_served(self, client):
        served = []
        waiter = threading.Thread(target=lambda: served.append(client.blpop("queue", timeout=10)))
        waiter.start()
        client.rpush("queue", "job")
        waiter.join(10)
        assert [list(reply) for reply in served] == [["queue", "job"]]

    def test_a_lock(self, client):
        with client.lock("resource", timeout=10, blocking_timeout=5) as lock:
            assert lock.owned()
            assert not client.lock("resource", timeout=10, blocking=False).acquire()
            assert lock.extend(5)
        assert client.exists("resource") == 0


class TestAsyncio:
    async def test_strings(self, async_client):
        assert await async_client.set("greeting", "hello") is True
        assert await async_client.get("greeting") == "hello"

    async def test_many_connections_at_once(self, async_client):
        assert sorted(await asyncio.gather(*(async_client.incr("n") for _ in range(100)))) == list(range(1, 101))

    async def test_a_pipeline(self, async_client):
        async with async_client.pipeline(transaction=True) as pipe:
            assert await pipe.set("a", 1).incr("a").execute() == [True, 2]

    async def test_publish_and_subscribe(self, async_client):
        async with async_client.pubsub() as subscription:
            await subscription.subscribe("news")
            assert (await subscription.get_message(timeout=5))["type"] == "subscribe"
            await async_client.publish("news", "hello")
            message = await subscription.get_message(ignore_subscribe_messages=True, timeout=5)
            assert message["data"] == "hello"

    async def test_a_waiting_pop_is_served(self, async_client):
        waiting = asyncio.create_task(async_client.blpop("queue", timeout=10))
        await async_client.rpush("queue", "job")
        assert list(await waiting) == ["queue", "job"]
