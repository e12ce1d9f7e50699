# A million rounds of integer arithmetic and comparison.
def main():
    round = 0
    seed = 1
    sum = 0
    large = 0
    while round < 1000000:
        seed = (seed * 48271) % 2147483647
        digit = seed % 1000
        if digit >= 500:
            large = large + 1
            sum = sum + digit
        else:
            sum = sum - digit
        round = round + 1
    print(f"{seed} {sum} {large}")


main()
