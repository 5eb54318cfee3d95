"""An HTTP server for a model on this machine, with OpenAI's API: what speaks to that speaks to yours.

    POST /v1/completions, POST /v1/chat/completions, GET /v1/models, and a page at /

`python -m minigpt serve` runs it; in a notebook:

    from minigpt.server.running import in_background
    from minigpt.server.served import Served
    with in_background(Served("mine", model, tokenizer)) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
        client.completions.create(model="mine", prompt="Once upon a time", max_tokens=20)

To be read in this order: app (paths and answers), fields (what may be asked), answers (what is said), line (who is
next), served (the model), guard (who may ask), refusals, running.
"""
