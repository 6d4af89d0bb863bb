// Verifies a webhook request with the standardwebhooks package and prints its body. Reads
// {"secret", "body", "headers"} as JSON from standard input; fails if a signature is wrong.
const { readFileSync } = require('node:fs');
const { Webhook } = require('standardwebhooks');

const { secret, body, headers } = JSON.parse(readFileSync(0, 'utf8'));
console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));
