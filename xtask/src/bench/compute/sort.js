// Ten thousand records are made, sorted by one field and grouped by another.
function main() {
    const records = [];
    let seed = 1;
    for (let round = 0; round < 10000; round++) {
        seed = (seed * 48271) % 2147483647;
        records.push({ id: round, key: seed, group: `group ${seed % 100}` });
    }
    const ordered = [...records].sort((left, right) => left.key - right.key);
    const groups = new Map();
    for (const record of ordered) {
        const known = groups.get(record.group);
        if (known) {
            known.push(record);
        } else {
            groups.set(record.group, [record]);
        }
    }
    const members = groups.get(ordered[0].group);
    const total = members.reduce((sum, record) => sum + record.id, 0);
    console.log(`${ordered[0].id} ${ordered.at(-1).id} ${members.length} ${total.toFixed(1)} ${members[0].key}`);
}

main();
