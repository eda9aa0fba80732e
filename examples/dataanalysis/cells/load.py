try:
    import pandas
except ImportError:
    pandas = None
import csv
import datetime

if pandas is not None:
    sales = pandas.read_csv("sales.csv", parse_dates=["date"])
    sales["revenue"] = sales.units * sales.price
    print(len(sales), "sales, with pandas", pandas.__version__)
else:
    with open("sales.csv", newline="") as f:
        sales = list(csv.DictReader(f))
    for row in sales:
        row["date"] = datetime.datetime.fromisoformat(row["date"])
        row["units"] = int(row["units"])
        row["revenue"] = row["units"] * float(row["price"])
    print(len(sales), "sales, without pandas")
