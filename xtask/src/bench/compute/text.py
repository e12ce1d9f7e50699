# A text of a megabyte grows line by line.
def main():
    text = ""
    round = 0
    while round < 60000:
        text = text + f"{round} bottles\n"
        round = round + 1
    whole = "\n59999 bottles\n" in text
    print(len(text), str(whole).lower())


main()
