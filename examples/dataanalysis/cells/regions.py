if pandas is not None:
    regions = sales.groupby("region")[["units", "revenue"]].sum().reset_index()
    weeks = sales.groupby("date").revenue.sum().to_dict()
    display(regions)
else:
    regions, weeks = {}, {}
    for row in sales:
        total = regions.setdefault(row["region"], {"region": row["region"], "units": 0, "revenue": 0})
        total["units"] += row["units"]
        total["revenue"] += row["revenue"]
        weeks[row["date"]] = weeks.get(row["date"], 0) + row["revenue"]
    regions = sorted(regions.values(), key=lambda total: total["region"])
    display({"application/json": regions}, raw=True)
