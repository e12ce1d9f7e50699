# A text of a megabyte grows line by line; in parts that are joined, because `text += line` may copy all of it each time.
def main():
    parts = []
    round = 0
    while round < 75000:
        parts.append(f"{round} bottles\n")
        round = round + 1
    text = "".join(parts)
    whole = "\n599 bottles\n" in text
    print(len(text), str(whole).lower())


main()
