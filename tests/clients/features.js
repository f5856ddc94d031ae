// A web developer works with features: the package @esri/arcgis-rest-feature-service, here in Node.
//
// As with the scripts in Python: what it is given comes as JSON from standard input, and what the client
// saw in each story goes as JSON to standard output.

import { readFileSync } from "node:fs";

import {
  addFeatures,
  applyEdits,
  deleteFeatures,
  getAllLayersAndTables,
  getFeature,
  getLayer,
  getService,
  queryAllFeatures,
  queryFeatures,
  updateFeatures,
} from "@esri/arcgis-rest-feature-service";
import { ArcGISIdentityManager } from "@esri/arcgis-rest-request";

const given = JSON.parse(readFileSync(0, "utf8"));
const service = `${given.server}/rest/services/Maps/Town/FeatureServer`;
const url = `${service}/0`;

const authentication = await ArcGISIdentityManager.signIn({
  username: "ann",
  password: given.password,
  portal: `${given.server}/sharing/rest`,
});

const refusal = async (promise) => {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    return { name: error.name, code: error.code, message: error.message };
  }
  throw new Error(`it was not refused, but answered ${JSON.stringify(answer)}`);
};

const tower = { attributes: { name: "Tower" }, geometry: { x: 20, y: 10, spatialReference: { wkid: 4326 } } };

const stories = {
  async serviceAndLayer() {
    const about = await getService({ url: service, authentication });
    const all = await getAllLayersAndTables({ url: service, authentication });
    const layer = await getLayer({ url, authentication });
    return {
      layers: about.layers.map((each) => each.name),
      all: all.layers.length + all.tables.length,
      layer: [layer.name, layer.geometryType],
    };
  },

  async queries() {
    const some = await queryFeatures({
      url,
      where: "height > 10",
      geometry: { xmin: 0, ymin: 0, xmax: 8, ymax: 9, spatialReference: { wkid: 4326 } },
      geometryType: "esriGeometryEnvelope",
      orderByFields: "height DESC",
      authentication,
    });
    const all = await queryAllFeatures({ url, authentication });
    const count = await queryFeatures({ url, returnCountOnly: true, authentication });
    const geojson = await queryFeatures({ url, f: "geojson", authentication });
    const feature = await getFeature({ url, id: 3, authentication });
    return {
      some: some.features.map((each) => each.attributes.name),
      all: all.features.length,
      count: count.count,
      geojson: geojson.features[0].geometry,
      feature: feature.attributes.name,
    };
  },

  async edits() {
    const added = await addFeatures({ url, features: [tower], authentication });
    const id = added.addResults[0].objectId;
    const features = [{ attributes: { OBJECTID: id, height: 41 } }];
    const changed = await updateFeatures({ url, features, authentication });
    const seen = await getFeature({ url, id, authentication });
    const deleted = await deleteFeatures({ url, objectIds: [id], authentication });
    const together = await applyEdits({ url, adds: [tower], authentication });
    const last = together.addResults[0].objectId;
    const undone = await applyEdits({ url, deletes: [last], authentication });
    return { added, changed, height: seen.attributes.height, deleted, together, undone };
  },

  badQuery: () => refusal(queryFeatures({ url, where: "nobody = 1", authentication })),

  withoutToken: () => refusal(queryFeatures({ url })),
};

const told = {};
for (const [name, story] of Object.entries(stories)) {
  console.error(`-- ${name}`);
  try {
    told[name] = { saw: await story() };
  } catch (error) {
    told[name] = { trouble: error.stack };
  }
}
console.log(JSON.stringify(told));
