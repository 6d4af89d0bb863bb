// Starts Swagger UI with this server's OpenAPI document. Requests go to this server.
const start = async () => {
  const spec = await (await fetch('/api/v1/openapi.json')).json();
  spec.servers = [{ url: `${location.origin}/api/v1`, description: 'This server' }];
  SwaggerUIBundle({
    spec,
    dom_id: '#explorer',
    deepLinking: true,
    validatorUrl: null,
    persistAuthorization: false,
    displayRequestDuration: true,
    tryItOutEnabled: true,
    docExpansion: 'list',
    defaultModelsExpandDepth: -1,
    presets: [SwaggerUIBundle.presets.apis],
    layout: 'BaseLayout',
  });
};
start();
