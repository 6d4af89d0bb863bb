// Creates what the request needs and earlier requests have not created, so that each
// request works on its own in any workspace.
const recipes = RECIPES;
const known = (name) => pm.collectionVariables.get(name);
const field = (value, path) => path.split('.').reduce((part, key) => part?.[key], value);

const send = (recipe) => new Promise((resolve, reject) => {
  const fill = (text) => pm.variables.replaceIn(text.replaceAll('{{unique}}', '{{$guid}}'));
  pm.sendRequest({
    url: fill('{{baseUrl}}' + recipe.path),
    method: recipe.method,
    header: { Authorization: fill('Bearer {{apiToken}}'), ...(recipe.type && { 'Content-Type': recipe.type }) },
    ...(recipe.body && { body: { mode: 'raw', raw: fill(recipe.body) } }),
  }, (error, response) => {
    if (error) reject(error);
    else if (response.code >= 400) reject(new Error(`${recipe.method} ${recipe.path}: ${response.code} ${response.text()}`));
    else resolve(field(response.json(), recipe.field));
  });
});

const create = async (name) => {
  const recipe = recipes.find(({ variable }) => variable === name);
  if (!recipe || known(name)) return;
  await needs(recipe.path + (recipe.body ?? ''), recipe.after);
  let value = await send(recipe);
  for (let tries = 0; recipe.wait && value === undefined && tries < 100; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    value = await send(recipe);
  }
  pm.collectionVariables.set(name, value);
};

const needs = async (text, more = []) => {
  for (const name of [...more, ...Array.from(text.matchAll(/{{(\w+)}}/g), ([, found]) => found)]) await create(name);
};

needs(JSON.stringify(pm.request)).catch((error) => {
  pm.test('creates what the request needs', () => { throw error; });
});
