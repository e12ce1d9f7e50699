# Ten thousand records are made, sorted by one field and grouped by another.
def main():
    records = []
    seed = 1
    for round in range(10000):
        seed = (seed * 48271) % 2147483647
        records.append({"id": round, "key": seed, "group": f"group {seed % 100}"})
    ordered = sorted(records, key=lambda record: record["key"])
    groups = {}
    for record in ordered:
        groups.setdefault(record["group"], []).append(record)
    members = groups[ordered[0]["group"]]
    total = sum(record["id"] for record in members)
    print(ordered[0]["id"], ordered[-1]["id"], len(members), float(total), members[0]["key"])


main()
