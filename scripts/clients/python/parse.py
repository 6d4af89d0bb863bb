"""Parses and serializes bodies with the models of openapi-generator's python client."""

import os
import sys

sys.path.insert(0, os.getcwd())

from openapi_client import ConversationBulk, LeadCreate
from openapi_client.models import ConversationBulkClose

lead = LeadCreate.from_dict({"fields": {"name": "Anna", "company": "Nowak Ltd"}})
assert lead.to_dict() == {"fields": {"name": "Anna", "company": "Nowak Ltd"}}, lead
bulk = ConversationBulk.from_json('{"ids":["019dde42-9a00-7c3a-9f21-6a0b5f1d2e01"],"action":"close"}')
assert isinstance(bulk.actual_instance, ConversationBulkClose), bulk
print("Python, openapi-generator: imported, parsed a lead and a bulk action")
