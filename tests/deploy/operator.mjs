// Holds objects of the Prometheus operator against its types: node operator.mjs FOLDER FILE…, where
// FOLDER has the node_modules, and each FILE is a JSON list of objects.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const types = `${folder}/node_modules/@kubernetes-models/prometheus-operator`;
let count = 0;
for (const file of files) {
  for (const object of JSON.parse(readFileSync(file, "utf8"))) {
    const path = `${types}/${object.apiVersion}/${object.kind}.js`;
    const kinds = await import(pathToFileURL(path));
    try {
      new kinds[object.kind](object).validate();
    } catch (error) {
      console.error(`${file}: ${object.kind} ${object.metadata.name}: ${error.message}`);
      process.exit(1);
    }
    count += 1;
  }
}
if (count === 0) {
  console.error("there was nothing to check");
  process.exit(1);
}
