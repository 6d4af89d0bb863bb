"""Verifies a webhook request with the standardwebhooks package and prints its body.

Reads {"secret", "body", "headers"} as JSON from standard input; fails if a signature is wrong.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook

request = json.load(sys.stdin)
print(json.dumps(Webhook(request["secret"]).verify(request["body"], request["headers"])))
