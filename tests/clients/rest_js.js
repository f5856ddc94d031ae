// A web developer runs tools: the package @esri/arcgis-rest-request, here in Node.
//
// As with the scripts in Python: what it is given comes as JSON from standard input, and what the client
// saw in each story goes as JSON to standard output.

import { readFileSync } from "node:fs";

import { ArcGISIdentityManager, Job, JOB_STATUSES, request } from "@esri/arcgis-rest-request";

const given = JSON.parse(readFileSync(0, "utf8"));
const portal = `${given.server}/sharing/rest`;
const tools = `${given.server}/rest/services/Tests/Every/GPServer`;

const signIn = (username, password = given.password) =>
  ArcGISIdentityManager.signIn({ username, password, portal });

const refusal = async (promise) => {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    return { name: error.name, code: error.code, message: error.message, job: error.jobInfo };
  }
  throw new Error(`it was not refused, but answered ${JSON.stringify(answer)}`);
};

const until = async (reached) => {
  for (;;) {
    const answer = await reached();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

const stories = {
  async personWhoSignsIn() {
    const manager = await signIn("ann");
    const user = await manager.getUser();
    const self = await manager.getPortal();
    return { username: user.username, fullName: user.fullName, role: user.role, portal: self.portalName };
  },

  wrongPassword: () => refusal(signIn("bob", "wrong-horse-battery")),

  async toolWithResults() {
    const authentication = await signIn("ann");
    const job = await Job.submitJob({
      url: `${tools}/everything/submitJob`,
      params: { text: "Zürich", whole: 3, flag: true, texts: ["a", "b"], features: given.points },
      authentication,
    });
    const info = await job.waitForCompletion();
    const all = await job.getAllResults();
    return {
      status: info.status,
      inputs: Object.keys(info.inputs),
      text: await job.getResult("text_back"),
      values: Object.fromEntries(Object.entries(all).map(([name, each]) => [name, each.value])),
    };
  },

  async jobFoundAgain() {
    const authentication = await signIn("ann");
    const job = await Job.submitJob({ url: `${tools}/parcels`, params: { count: 2 }, authentication });
    await job.waitForCompletion();
    const again = await Job.deserialize(job.serialize(), { authentication });
    const result = await again.getResult("result");
    return { id: job.id === again.id, features: result.value.features.length };
  },

  async toolThatFails() {
    const authentication = await signIn("ann");
    const job = await Job.submitJob({
      url: `${tools}/fail`,
      params: { reason: "the bridge is out" },
      authentication,
    });
    return refusal(job.waitForCompletion());
  },

  async wrongInput() {
    const authentication = await signIn("ann");
    const params = { text: "x", whole: 1000 };
    return refusal(Job.submitJob({ url: `${tools}/everything`, params, authentication }));
  },

  async cancelledTool() {
    const authentication = await signIn("ann");
    const job = await Job.submitJob({ url: `${tools}/slow`, params: { seconds: 600 }, authentication });
    await until(async () => (await job.getJobInfo()).status === JOB_STATUSES.Executing);
    const ended = refusal(job.waitForCompletion());
    const answer = await job.cancelJob();
    return { answer, ended: await ended };
  },

  async deadTokenIsRenewed() {
    const authentication = await signIn("ann");
    authentication.updateToken("no-token-any-more", new Date(Date.now() + 3_600_000));
    const user = await request(`${portal}/community/self`, { authentication });
    return { username: user.username, token: authentication.token };
  },

  async tokenForTheServer() {
    const authentication = await signIn("ann");
    const token = await authentication.getToken(tools);
    const kept = token === (await authentication.getToken(tools));
    authentication.federatedServers[given.server] = { token: "no-token-any-more", expires: new Date(0) };
    const service = await request(tools, { authentication });
    return {
      kept,
      renewed: authentication.federatedServers[given.server].token,
      federated: Object.keys(authentication.federatedServers),
      tasks: service.tasks,
    };
  },

  async personOnTheSignInPage() {
    const program = { portal, clientId: "map", redirectUri: "http://localhost:8000/signed-in" };
    let page;
    ArcGISIdentityManager.authorize(program, {
      writeHead: (_, headers) => (page = headers.Location),
      end: () => {},
    });
    // What the person does there in a browser.
    const [, oauth_state] = /"oauth_state": *"([^"]+)"/.exec(await (await fetch(page)).text());
    const signedIn = await fetch(`${given.server}/sharing/oauth2/signin`, {
      method: "POST",
      body: new URLSearchParams({ oauth_state, username: "ann", password: given.password }),
      redirect: "manual",
    });
    const back = new URL(signedIn.headers.get("location"));
    const code = back.searchParams.get("code");
    const manager = await ArcGISIdentityManager.exchangeAuthorizationCode(program, code);
    manager.updateToken("no-token-any-more", new Date(0));
    await manager.refreshCredentials();
    return {
      back: back.origin + back.pathname,
      username: (await manager.getUser()).username,
      token: manager.token,
      tasks: (await request(tools, { authentication: manager })).tasks,
      codeAgain: await refusal(ArcGISIdentityManager.exchangeAuthorizationCode(program, code)),
    };
  },

  async signedOut() {
    const authentication = await signIn("ann");
    const { token } = authentication;
    await authentication.signOut();
    return refusal(request(`${portal}/community/self`, { params: { token } }));
  },
};

const told = {};
await Promise.all(
  Object.entries(stories).map(async ([name, story]) => {
    try {
      told[name] = { saw: await story() };
    } catch (error) {
      told[name] = { trouble: `${error.stack}\n${JSON.stringify(error.response ?? null)}` };
    }
    process.stderr.write(`-- ${name}\n`);
  }),
);
// The client keeps timers of jobs that have ended.
process.stdout.write(JSON.stringify(told), () => process.exit());
