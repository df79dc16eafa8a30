"""Filter an image or a matrix with a kernel: `convolve.py photo.jpg kernel=sobel_x`."""

from lessons.convolve import main

if __name__ == "__main__":
    main()
