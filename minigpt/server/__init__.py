"""An HTTP server for a model on this machine, with OpenAI's API: what speaks to that speaks to yours.

    POST /v1/completions, POST /v1/chat/completions, GET /v1/models, and a page at /

To be read in this order: app (paths and answers), fields (what may be asked), answers (what is said), line (who is
next), guard (who may ask), served (the model), refusals, running.
"""
