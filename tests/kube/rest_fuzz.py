"""Requests made of the API's own description, /openapi.json: values that fit its schemas, values at and beyond their
bounds, of other types, fields left out, twice as deep, and unknown ones. Reproducible by its seed."""

import json
import random
import string
import urllib.parse

MOST_DEPTH = 8
WRONG = [None, True, 0, -1, 1 << 63, 1.5, "", "\u0000", "é" * 70, "x" * 2000, [], [[]], {}, {"a": {"b": []}}, "1h", "-1s"]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


class Fuzz:
    def __init__(self, description, seed, names):
        """`names` are what objects and namespaces are mostly called, so that something is found."""
        self.description, self.names = description, names
        self.random = random.Random(seed)
        # Of one request: how many of the fields that may be left out are there, and how much is of no form at all.
        self.density, self.wrongness = 0.4, 0.04

    def request(self):
        """(method, path, body or None, fields)"""
        self.density, self.wrongness = self.random.choice([0.05, 0.4]), self.random.choice([0, 0, 0.04])
        path, operations = self.random.choice(list(self.description["paths"].items()))
        method, operation = self.random.choice(list(operations.items()))
        if self.chance(0.05):
            method = self.random.choice(METHODS).lower()
        query = {}
        for parameter in operation.get("parameters", []):
            value = self.parameter(parameter)
            if parameter["in"] == "path":
                path = path.replace("{" + parameter["name"] + "}", urllib.parse.quote(str(value), safe=""))
            elif self.chance(0.7):
                query[parameter["name"]] = value
        if self.chance(0.05):
            query[self.word()] = self.word()
        body = None
        if "requestBody" in operation:
            ((kind, content),) = operation["requestBody"]["content"].items()
            body = self.body(content["schema"])
        fields = {"Content-Type": "application/json" if self.chance(0.95) else self.word()} if body is not None else {}
        return method.upper(), path + ("?" + urllib.parse.urlencode(query) if query else ""), body, fields

    def parameter(self, parameter):
        if parameter["in"] == "path" and self.chance(0.9):
            return self.random.choice(self.names)
        return self.value(parameter["schema"], 0)

    def body(self, schema):
        value = self.value(schema, 0)
        if isinstance(value, dict) and self.chance(0.9):
            kind = schema["$ref"].rsplit("/", 1)[1]
            value |= {"apiVersion": "skbtrail.dev/v1alpha1", "kind": kind, "metadata": {"name": self.random.choice(self.names)}}
        text = json.dumps(value).encode()
        if self.chance(0.05):
            at = self.random.randrange(len(text) + 1)
            text = text[:at] + self.random.randbytes(self.random.randrange(4)) + text[at + self.random.randrange(3):]
        return text

    def value(self, schema, depth):
        if "$ref" in schema:
            schema = self.description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        if depth > MOST_DEPTH or self.chance(self.wrongness):
            return self.random.choice(WRONG)
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        kind = schema.get("type", "object")
        return getattr(self, f"of_{kind}")(schema, depth)

    def of_object(self, schema, depth):
        made = {}
        for name, inner in schema.get("properties", {}).items():
            if name != "status" and self.chance(0.9 if name in schema.get("required", []) else self.density):
                made[name] = self.value(inner, depth + 1)
        further = schema.get("additionalProperties")
        if isinstance(further, dict):
            made |= {self.word(): self.value(further, depth + 1) for _ in range(self.random.randrange(3))}
        if self.chance(self.wrongness):
            made[self.word()] = self.random.choice(WRONG)
        return made

    def of_array(self, schema, depth):
        most = min(schema.get("maxItems", 3) + 1, 70)
        return [self.value(schema.get("items", {}), depth + 1) for _ in range(self.random.choice([0, 1, 1, 2, most]))]

    def of_integer(self, schema, _):
        least, most = schema.get("minimum", 0), schema.get("maximum", 1 << 31)
        return self.random.choice([least, most, least - 1, most + 1, self.random.randint(least, most)])

    of_number = of_integer

    def of_boolean(self, *_):
        return self.random.choice([True, False])

    def of_string(self, schema, _):
        most = schema.get("maxLength", 64)
        return self.random.choice([self.word(), "icmp", "1s", "2s", "", "x" * most, "x" * (most + 1),
                                   schema.get("default", "a")])

    def word(self):
        return "".join(self.random.choices(string.ascii_lowercase + "-_.^([*", k=self.random.randint(1, 12)))

    def chance(self, share):
        return self.random.random() < share
