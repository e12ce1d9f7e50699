# Starts and ends: what a process costs that computes nothing.
def main():
    print("done")


main()
