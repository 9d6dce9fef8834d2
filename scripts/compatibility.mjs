/**
 * Writes docs/compatibility/*.md from the command registries of the built server, so that the pages are the truth about what
 * is there. `--check` writes nothing and fails when a page is not what would be written.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);
const check = process.argv.includes('--check');

function page(name, text) {
  const file = new URL(`docs/compatibility/${name}.md`, root);
  const old = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (old === text) return;
  if (check) {
    console.error(`docs/compatibility/${name}.md is not up to date: npm run docs`);
    process.exitCode = 1;
    return;
  }
  mkdirSync(new URL('docs/compatibility/', root), { recursive: true });
  writeFileSync(file, text);
  console.log(`docs/compatibility/${name}.md`);
}

/** Hand-written remarks that follow the generated tables. */
function notes(name) {
  const file = new URL(`docs/compatibility/${name}.notes.md`, root);
  return existsSync(file) ? `\n${readFileSync(file, 'utf8').trim()}\n` : '';
}

const generated = (what) =>
  `<!-- Written by \`npm run docs\` from the command registry; remarks live in the .notes.md file beside it. -->\n# ${what}\n`;

async function redis() {
  const { CommandRegistry } = await import(new URL('dist/protocols/redis/registry.js', root).href);
  const registry = new CommandRegistry();
  const groups = new Map();
  const add = (facts, there) => {
    if (facts.subcommands !== undefined && facts.subcommands.length > 0 && facts.arity < -1) return;
    const group = facts.group ?? 'other';
    const rows = groups.get(group) ?? [];
    rows.push({ name: facts.name.toUpperCase().replace('|', ' '), since: facts.since ?? '', there });
    groups.set(group, rows);
  };
  for (const command of registry.all) add(command.facts, true);
  const lacking = (facts) => {
    if (facts.subcommands !== undefined && facts.subcommands.length > 0) {
      for (const sub of facts.subcommands) lacking(sub);
      if (facts.arity < -1) return;
    }
    add(facts, false);
  };
  for (const facts of registry.missing) lacking(facts);
  let total = 0;
  let done = 0;
  let tables = '';
  for (const [group, rows] of [...groups].sort(([a], [b]) => (a < b ? -1 : 1))) {
    rows.sort((a, b) => (a.name < b.name ? -1 : 1));
    total += rows.length;
    done += rows.filter((row) => row.there).length;
    tables += `\n## ${group}\n\n`;
    const names = (list) => (list.length === 0 ? '–' : list.map((row) => `\`${row.name}\``).join(', '));
    tables += `Answered: ${names(rows.filter((row) => row.there))}\n`;
    const missing = rows.filter((row) => !row.there);
    if (missing.length > 0) tables += `\nNot yet: ${names(missing)}\n`;
  }
  page(
    'redis',
    `${generated('Redis')}\nTarget: Redis 7.2. ${done} of ${total} commands and subcommands are answered.\n${tables}${notes('redis')}`,
  );
}

await redis();
const mongodb = new URL('dist/protocols/mongodb/documentation.js', root);
if (existsSync(mongodb)) {
  const { compatibilityPage } = await import(mongodb.href);
  page('mongodb', `${generated('MongoDB')}\n${compatibilityPage()}${notes('mongodb')}`);
}
