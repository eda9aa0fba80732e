"""Runs cells that await. The driver, python.py, executes this with the first."""

import asyncio

loop = None


def run(codes, space):
    """Returns what the last of codes evaluates to, which all are one task."""
    global loop
    if loop is None or loop.is_closed():
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    task = loop.create_task(evaluate(codes, space))
    try:
        return loop.run_until_complete(task)
    except KeyboardInterrupt as e:
        task.cancel()
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError as canceled:  # at the place that was interrupted
            e.__traceback__ = canceled.__traceback__
        except BaseException:
            pass
        raise e


async def evaluate(codes, space):
    for code in codes:
        value = eval(code, space)
        if code.co_flags & 0x80:  # CO_COROUTINE
            value = await value
    return value
