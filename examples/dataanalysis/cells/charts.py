try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None
    print("no charts: there is no matplotlib")

if plt is not None:
    table = regions.to_dict("records") if pandas is not None else regions
    plt.bar([row["region"] for row in table], [row["revenue"] for row in table])
    plt.title("Revenue by region")
    plt.show()

    plt.plot(list(weeks), list(weeks.values()), marker="o", label="all regions")
    plt.title("Revenue by week")
    plt.gcf().autofmt_xdate()
    plt.legend()
